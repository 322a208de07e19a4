import java.util.List;
import java.util.concurrent.AbstractExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.apache.vysper.storage.StorageProviderRegistry;
import org.apache.vysper.xmpp.addressing.Entity;
import org.apache.vysper.xmpp.delivery.StanzaRelay;
import org.apache.vysper.xmpp.delivery.inbound.DeliveringInternalInboundStanzaRelay;
import org.apache.vysper.xmpp.protocol.HandlerDictionary;
import org.apache.vysper.xmpp.protocol.ProtocolWorker;
import org.apache.vysper.xmpp.protocol.QueuedStanzaProcessor;
import org.apache.vysper.xmpp.protocol.SessionStateHolder;
import org.apache.vysper.xmpp.protocol.StanzaProcessor;
import org.apache.vysper.xmpp.server.DefaultServerRuntimeContext;
import org.apache.vysper.xmpp.server.ServerFeatures;
import org.apache.vysper.xmpp.server.SessionContext;
import org.apache.vysper.xmpp.state.resourcebinding.ResourceRegistry;

/** Vysper's own parts, each stanza carried out to its end before the next one: one thread, and none behind it. */
final class InOrder {
    private InOrder() {}

    static final class Context extends DefaultServerRuntimeContext {
        private final StanzaProcessor processor = new Processor();

        Context(Entity server, StanzaRelay relay, ServerFeatures features, List<HandlerDictionary> dictionaries,
                ResourceRegistry resources) {
            super(server, relay, features, dictionaries, resources);
        }

        @Override
        public StanzaProcessor getStanzaProcessor() {
            return processor;
        }
    }

    private static final class Processor extends QueuedStanzaProcessor {
        Processor() {
            super(new ProtocolWorker());
            executor.shutdown();
            executor = Executors.newSingleThreadExecutor();
        }

        /** Behind <proceed/>, and not in the middle of it. */
        @Override
        public void processTLSEstablished(SessionContext session, SessionStateHolder state) {
            executor.submit(() -> super.processTLSEstablished(session, state));
        }
    }

    static final class Relay extends DeliveringInternalInboundStanzaRelay {
        Relay(Entity server, ResourceRegistry resources, StorageProviderRegistry storage) {
            super(server, resources, storage);
            executor.shutdown();
            executor = new Caller();
        }
    }

    /** Runs what it is given at once, in the caller's thread. */
    private static final class Caller extends AbstractExecutorService {
        @Override
        public void execute(Runnable task) {
            task.run();
        }

        @Override
        public void shutdown() {}

        @Override
        public List<Runnable> shutdownNow() {
            return List.of();
        }

        @Override
        public boolean isShutdown() {
            return false;
        }

        @Override
        public boolean isTerminated() {
            return false;
        }

        @Override
        public boolean awaitTermination(long timeout, TimeUnit unit) {
            return false;
        }
    }
}
