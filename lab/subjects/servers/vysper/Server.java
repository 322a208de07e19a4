import java.io.File;
import java.io.FileInputStream;
import java.util.ArrayList;
import java.util.List;
import org.apache.vysper.mina.S2SEndpoint;
import org.apache.vysper.mina.TCPEndpoint;
import org.apache.vysper.storage.OpenStorageProviderRegistry;
import org.apache.vysper.storage.inmemory.MemoryStorageProviderRegistry;
import org.apache.vysper.xmpp.addressing.Entity;
import org.apache.vysper.xmpp.addressing.EntityImpl;
import org.apache.vysper.xmpp.authorization.Plain;
import org.apache.vysper.xmpp.cryptography.BogusTrustManagerFactory;
import org.apache.vysper.xmpp.cryptography.InputStreamBasedTLSContextFactory;
import org.apache.vysper.xmpp.delivery.StanzaRelayBroker;
import org.apache.vysper.xmpp.delivery.inbound.DeliveringExternalInboundStanzaRelay;
import org.apache.vysper.xmpp.extension.xep0124.BoshEndpoint;
import org.apache.vysper.xmpp.modules.Module;
import org.apache.vysper.xmpp.modules.core.base.BaseStreamStanzaDictionary;
import org.apache.vysper.xmpp.modules.core.bind.BindResourceDictionary;
import org.apache.vysper.xmpp.modules.core.compatibility.jabber_iq_auth.JabberIQAuthDictionary;
import org.apache.vysper.xmpp.modules.core.sasl.SASLStanzaDictionary;
import org.apache.vysper.xmpp.modules.core.session.SessionStanzaDictionary;
import org.apache.vysper.xmpp.modules.core.starttls.StartTLSStanzaDictionary;
import org.apache.vysper.xmpp.modules.extension.xep0045_muc.MUCModule;
import org.apache.vysper.xmpp.modules.extension.xep0049_privatedata.PrivateDataModule;
import org.apache.vysper.xmpp.modules.extension.xep0050_adhoc_commands.AdhocCommandsModule;
import org.apache.vysper.xmpp.modules.extension.xep0054_vcardtemp.VcardTempModule;
import org.apache.vysper.xmpp.modules.extension.xep0060_pubsub.PublishSubscribeModule;
import org.apache.vysper.xmpp.modules.extension.xep0077_inbandreg.InBandRegistrationModule;
import org.apache.vysper.xmpp.modules.extension.xep0092_software_version.SoftwareVersionModule;
import org.apache.vysper.xmpp.modules.extension.xep0119_xmppping.XmppPingModule;
import org.apache.vysper.xmpp.modules.extension.xep0133_service_administration.ServiceAdministrationModule;
import org.apache.vysper.xmpp.modules.extension.xep0160_offline_storage.MemoryOfflineStorageProvider;
import org.apache.vysper.xmpp.modules.extension.xep0202_entity_time.EntityTimeModule;
import org.apache.vysper.xmpp.modules.roster.RosterModule;
import org.apache.vysper.xmpp.modules.servicediscovery.ServiceDiscoveryModule;
import org.apache.vysper.xmpp.protocol.HandlerDictionary;
import org.apache.vysper.xmpp.server.DefaultServerRuntimeContext;
import org.apache.vysper.xmpp.server.Endpoint;
import org.apache.vysper.xmpp.server.ServerFeatures;
import org.apache.vysper.xmpp.state.resourcebinding.ResourceRegistry;

/**
 * Vysper is a library: these are the parts of its own XMPPServer, put together with every module and endpoint of the release.
 *
 * One thing is not as there: XMPPServer works with pools of threads, in which two stanzas of a client overtake one
 * another, and a second stream header the end of the first stream (RFC 6120 §10.1). Nothing else could be measured,
 * so here the parts of `InOrder` stand in their place.
 */
public final class Server {
    private static final String PASSWORD = "keystore";

    /** Arguments: the domain, the administrator's localpart, a key store with that password. */
    public static void main(String[] arguments) throws Exception {
        String domain = arguments[0];
        Entity admin = EntityImpl.parse(arguments[1] + "@" + domain);
        String keys = arguments[2];

        DefaultServerRuntimeContext context = context(new EntityImpl(null, domain, null), new File(keys));
        ServiceAdministrationModule administration = new ServiceAdministrationModule();
        administration.setAddAdminJIDs(List.of(admin));
        for (Module module : List.of(
                new ServiceDiscoveryModule(), new RosterModule(), new InBandRegistrationModule(),
                new SoftwareVersionModule(), new EntityTimeModule(), new XmppPingModule(),
                new VcardTempModule(), new PrivateDataModule(), new AdhocCommandsModule(), administration,
                new MUCModule("conference"), new PublishSubscribeModule("pubsub"))) {
            context.addModule(module);
        }
        for (Endpoint endpoint : List.of(
                new TCPEndpoint(), new S2SEndpoint(), bosh(8080, null), bosh(8443, keys))) {
            endpoint.setServerRuntimeContext(context);
            endpoint.start();
        }
        System.out.println("Vysper serves " + domain);
    }

    /** What XMPPServer.start() makes, in its order. */
    private static DefaultServerRuntimeContext context(Entity server, File keys) throws Exception {
        ResourceRegistry resources = new ResourceRegistry();
        OpenStorageProviderRegistry storage = storage();
        InOrder.Relay local = new InOrder.Relay(server, resources, storage);
        DeliveringExternalInboundStanzaRelay remote = new DeliveringExternalInboundStanzaRelay();
        StanzaRelayBroker relay = new StanzaRelayBroker();
        relay.setInternalRelay(local);
        relay.setExternalRelay(remote);
        ServerFeatures features = new ServerFeatures();
        features.setAuthenticationMethods(List.of(new Plain()));

        DefaultServerRuntimeContext context = new InOrder.Context(server, relay, features, dictionaries(), resources);
        context.setStorageProviderRegistry(storage);
        InputStreamBasedTLSContextFactory tls = new InputStreamBasedTLSContextFactory(new FileInputStream(keys));
        tls.setPassword(PASSWORD);
        tls.setTrustManagerFactory(new BogusTrustManagerFactory());
        context.setTlsContextFactory(tls);
        relay.setServerRuntimeContext(context);
        local.setServerRuntimeContext(context);
        remote.setServerRuntimeContext(context);
        return context;
    }

    private static OpenStorageProviderRegistry storage() {
        OpenStorageProviderRegistry storage = new MemoryStorageProviderRegistry();
        storage.add(new MemoryOfflineStorageProvider());
        storage.add(new Memory.Cards());
        storage.add(new Memory.Private());
        return storage;
    }

    private static List<HandlerDictionary> dictionaries() {
        return new ArrayList<>(List.of(
                new BaseStreamStanzaDictionary(), new StartTLSStanzaDictionary(), new SASLStanzaDictionary(),
                new BindResourceDictionary(), new SessionStanzaDictionary(), new JabberIQAuthDictionary()));
    }

    private static BoshEndpoint bosh(int port, String keys) {
        BoshEndpoint endpoint = new BoshEndpoint();
        endpoint.setPort(port);
        endpoint.setContextPath("/bosh");
        if (keys != null) {
            endpoint.setSSLEnabled(true);
            endpoint.setSSLCertificateKeystore(keys);
            endpoint.setSSLCertificateKeystorePassword(PASSWORD);
        }
        return endpoint;
    }
}
