import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.vysper.xmpp.addressing.Entity;
import org.apache.vysper.xmpp.modules.extension.xep0049_privatedata.PrivateDataPersistenceManager;
import org.apache.vysper.xmpp.modules.extension.xep0054_vcardtemp.VcardTempPersistenceManager;

/**
 * The two kinds of storage that Vysper has for JCR alone, in memory: they keep the text that its modules give them.
 *
 * (Its JCR storage needs Jackrabbit 1.5, which starts on no Java since 14: java.security.acl is gone.)
 */
final class Memory {
    private Memory() {}

    static final class Cards implements VcardTempPersistenceManager {
        private final Map<String, String> cards = new ConcurrentHashMap<>();

        @Override
        public boolean isAvailable() {
            return true;
        }

        @Override
        public String getVcard(Entity entity) {
            return cards.get(owner(entity));
        }

        @Override
        public boolean setVcard(Entity entity, String xml) {
            cards.put(owner(entity), xml);
            return true;
        }
    }

    static final class Private implements PrivateDataPersistenceManager {
        private final Map<String, String> data = new ConcurrentHashMap<>();

        @Override
        public boolean isAvailable() {
            return true;
        }

        @Override
        public String getPrivateData(Entity entity, String key) {
            return data.get(owner(entity) + " " + key);
        }

        @Override
        public boolean setPrivateData(Entity entity, String key, String xml) {
            data.put(owner(entity) + " " + key, xml);
            return true;
        }
    }

    private static String owner(Entity entity) {
        return entity.getBareJID().getFullQualifiedName();
    }
}
