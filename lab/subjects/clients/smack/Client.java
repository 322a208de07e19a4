import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.InputStream;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import org.jivesoftware.smack.ReconnectionManager;
import org.jivesoftware.smack.SmackConfiguration;
import org.jivesoftware.smack.StanzaCollector;
import org.jivesoftware.smack.chat2.ChatManager;
import org.jivesoftware.smack.packet.Message;
import org.jivesoftware.smack.packet.MessageBuilder;
import org.jivesoftware.smack.packet.Presence;
import org.jivesoftware.smack.packet.PresenceBuilder;
import org.jivesoftware.smack.roster.Roster;
import org.jivesoftware.smack.roster.RosterEntry;
import org.jivesoftware.smack.tcp.XMPPTCPConnection;
import org.jivesoftware.smack.tcp.XMPPTCPConnectionConfiguration;
import org.jivesoftware.smackx.carbons.CarbonManager;
import org.jivesoftware.smackx.chatstates.ChatState;
import org.jivesoftware.smackx.chatstates.ChatStateManager;
import org.jivesoftware.smackx.disco.ServiceDiscoveryManager;
import org.jivesoftware.smackx.disco.packet.DiscoverInfo;
import org.jivesoftware.smackx.forward.packet.Forwarded;
import org.jivesoftware.smackx.iqversion.VersionManager;
import org.jivesoftware.smackx.mam.MamManager;
import org.jivesoftware.smackx.message_correct.element.MessageCorrectExtension;
import org.jivesoftware.smackx.muc.MultiUserChat;
import org.jivesoftware.smackx.muc.MultiUserChatManager;
import org.jivesoftware.smackx.nick.packet.Nick;
import org.jivesoftware.smackx.pep.PepManager;
import org.jivesoftware.smackx.ping.PingManager;
import org.jivesoftware.smackx.pubsub.PayloadItem;
import org.jivesoftware.smackx.receipts.DeliveryReceiptRequest;
import org.jxmpp.jid.BareJid;
import org.jxmpp.jid.EntityBareJid;
import org.jxmpp.jid.FullJid;
import org.jxmpp.jid.Jid;
import org.jxmpp.jid.impl.JidCreate;
import org.jxmpp.jid.parts.Resourcepart;

/** One user of Smack: it carries out the commands by what the library offers, and lets `Listeners` tell what comes. */
final class Client {
    private static final int REPLY_MILLIS = 15_000; // before an entity counts as mute
    private static final int OWN_PRESENCE_MILLIS = 3_000;
    private static final int RECONNECTION_SECONDS = 1;
    private static final int PAGE = 50; // messages of an archive, if the lab does not say how many

    private final Map<String, String> environment;
    private final Teller teller;
    private final Map<EntityBareJid, MultiUserChat> rooms = new ConcurrentHashMap<>();
    private final Map<Jid, String> lastSent = new ConcurrentHashMap<>();
    private XMPPTCPConnection connection;
    private Listeners listeners;

    Client(Map<String, String> environment, Teller teller) {
        this.environment = environment;
        this.teller = teller;
    }

    JsonObject carryOut(Arguments given) throws Exception {
        if (given.command.equals("connect")) {
            return connect();
        }
        if (connection == null) {
            throw new IllegalStateException("not connected");
        }
        switch (given.command) {
            case "disconnect" -> logOut();
            case "send-message" -> {
                return send(given, message(given));
            }
            case "correct-message" -> {
                return correct(given);
            }
            case "send-chat-state" -> ChatStateManager.getInstance(connection).setCurrentState(
                    ChatState.valueOf(given.text("state")),
                    ChatManager.getInstanceFor(connection).chatWith(person(given.text("to"))));
            case "send-presence" -> connection.sendStanza(presence(given));
            case "subscribe" -> roster().sendSubscriptionRequest(bare(given));
            case "accept" -> send(Presence.Type.subscribed, bare(given));
            case "refuse" -> send(Presence.Type.unsubscribed, bare(given));
            case "unsubscribe" -> send(Presence.Type.unsubscribe, bare(given));
            case "remove-contact" -> remove(bare(given));
            case "roster" -> {
                return Teller.object("contacts", contacts());
            }
            case "discover" -> {
                return described(discovery().discoverInfo(jid(given), given.text("node", null)), true);
            }
            case "features-of" -> {
                return described(discovery().discoverInfo(available(jid(given))), false);
            }
            case "ping" -> ping(jid(given));
            case "join" -> join(person(given.text("room")), Resourcepart.from(given.text("nick")));
            case "leave" -> room(person(given.text("room"))).leave();
            case "enable-carbons" -> CarbonManager.getInstanceFor(connection).enableCarbons();
            case "archive" -> {
                return Teller.object("messages", archive(given));
            }
            case "publish-nick" -> publish(new Nick(given.text("nick")));
            default -> throw new Unsupported("Smack has no " + given.command);
        }
        return new JsonObject();
    }

    // --- in and out

    private JsonObject connect() throws Exception {
        if (environment.get("XMPP_TLS").equals("direct")) {
            throw new Unsupported("Smack's own words: DirectTLS is not implemented yet");
        }
        if (connection == null) {
            SmackConfiguration.setDefaultReplyTimeout(REPLY_MILLIS);
            // Without one Smack tells everybody that it can say its version, and then refuses to.
            VersionManager.setDefaultVersion("Stanzalab's agent", "1");
            connection = new XMPPTCPConnection(configuration());
            discovery().addFeature(MessageCorrectExtension.NAMESPACE); // Smack leaves it to who sends corrections
            listeners = new Listeners(connection, teller);
            rooms.clear();
        }
        XMPPTCPConnection mine = connection;
        try (StanzaCollector own = mine.createStanzaCollector(stanza ->
                stanza instanceof Presence && stanza.getFrom() != null && stanza.getFrom().equals(mine.getUser()))) {
            listeners.begin();
            mine.connect();
            mine.login();
            if (!listeners.resumed) {
                own.nextResult(OWN_PRESENCE_MILLIS); // the server shows it to its owner: it knows of it then
            }
            if (mine.isSmEnabled()) {
                resumeByItself(mine);
            }
        } catch (Exception error) {
            giveUp();
            throw error;
        }
        return Teller.object("jid", mine.getUser().toString());
    }

    /** Smack can come again when its stream breaks, and does not unless it is asked to. */
    private static void resumeByItself(XMPPTCPConnection connection) {
        ReconnectionManager again = ReconnectionManager.getInstanceFor(connection);
        again.setFixedDelay(RECONNECTION_SECONDS);
        again.enableAutomaticReconnection();
    }

    private void giveUp() {
        listeners.end();
        connection.instantShutdown();
        if (!listeners.wasOnline) {
            connection = null; // what was online once may be resumed by the next try
        }
    }

    private XMPPTCPConnectionConfiguration configuration() throws Exception {
        XMPPTCPConnectionConfiguration.Builder builder = XMPPTCPConnectionConfiguration.builder()
                .setXmppAddressAndPassword(environment.get("XMPP_JID"), environment.get("XMPP_PASSWORD"))
                .setHostAddress(InetAddress.getByName(environment.get("XMPP_HOST")))
                .setPort(Integer.parseInt(environment.get("XMPP_PORT")))
                .setCustomX509TrustManager(trusted()); // not its setSslContextFactory: it takes the machine's back in
        String resource = environment.get("XMPP_RESOURCE");
        if (resource != null && !resource.isEmpty()) {
            builder.setResource(resource);
        }
        return builder.build();
    }

    /** Whom it trusts: one authority. Smack itself compares the certificate's name with the domain. */
    private X509TrustManager trusted() throws Exception {
        KeyStore authorities = KeyStore.getInstance(KeyStore.getDefaultType());
        authorities.load(null, null);
        try (InputStream pem = Files.newInputStream(Path.of(environment.get("XMPP_CA")))) {
            Certificate authority = CertificateFactory.getInstance("X.509").generateCertificate(pem);
            authorities.setCertificateEntry("lab", authority);
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(authorities);
        return (X509TrustManager) factory.getTrustManagers()[0];
    }

    void logOut() {
        XMPPTCPConnection leaving = connection;
        if (leaving != null) {
            listeners.end();
            leaving.disconnect();
        }
    }

    // --- messages

    private MessageBuilder message(Arguments given) {
        MessageBuilder message = connection.getStanzaFactory().buildMessageStanza()
                .ofType(Message.Type.fromString(given.text("type", "chat")))
                .setBody(given.text("body"));
        if (given.flag("receipt")) {
            DeliveryReceiptRequest.addTo(message);
        }
        return message;
    }

    private JsonObject correct(Arguments given) throws Exception {
        String sent = given.text("sent", lastSent.get(JidCreate.from(given.text("to"))));
        if (sent == null) {
            throw new IllegalStateException("no message was sent there");
        }
        return send(given, message(given).addExtension(new MessageCorrectExtension(sent)));
    }

    private JsonObject send(Arguments given, MessageBuilder builder) throws Exception {
        Jid to = JidCreate.from(given.text("to"));
        String id;
        if (given.text("type", "chat").equals("groupchat")) {
            id = room(to.asEntityBareJidOrThrow()).sendMessage(builder).getStanzaId();
        } else if (to.isEntityBareJid()) {
            Message message = builder.build();
            ChatManager.getInstanceFor(connection).chatWith(to.asEntityBareJidOrThrow()).send(message);
            id = message.getStanzaId();
        } else { // a chat of Smack's is with a bare JID
            Message message = builder.to(to).build();
            connection.sendStanza(message);
            id = message.getStanzaId();
        }
        if (id != null) {
            lastSent.put(to, id);
        }
        return Teller.object("sent", id);
    }

    private JsonArray archive(Arguments given) throws Exception {
        MamManager archive = MamManager.getInstanceFor(connection);
        if (!archive.isSupported()) { // its documentation has one ask first
            throw new IllegalStateException("the server has no archive");
        }
        MamManager.MamQueryArgs.Builder asked = MamManager.MamQueryArgs.builder()
                .setResultPageSize(given.number("max", PAGE))
                .queryLastPage();
        if (given.has("with")) {
            asked.limitResultsToJid(JidCreate.from(given.text("with")));
        }
        JsonArray messages = new JsonArray();
        for (Forwarded<Message> found : archive.queryArchive(asked.build()).getPage().getForwarded()) {
            Message message = found.getForwardedStanza();
            if (message.getBody() != null) {
                messages.add(Teller.object(
                        "from", message.getFrom().toString(),
                        "body", message.getBody(),
                        "id", message.getStanzaId(),
                        "stamp", Listeners.stamp(found.getDelayInformation())));
            }
        }
        return messages;
    }

    private void publish(Nick nick) throws Exception {
        PepManager own = PepManager.getInstanceFor(connection);
        if (!own.isSupported()) { // XEP-0163 §6.1 has one ask first
            throw new IllegalStateException("the server has no personal eventing");
        }
        own.publish(Nick.NAMESPACE, new PayloadItem<>(nick));
    }

    // --- presence and roster

    private Presence presence(Arguments given) throws Exception {
        PresenceBuilder presence = connection.getStanzaFactory().buildPresenceStanza();
        if (given.has("show")) {
            presence.setMode(Presence.Mode.fromString(given.text("show")));
        }
        if (given.has("status")) {
            presence.setStatus(given.text("status"));
        }
        if (given.has("priority")) {
            presence.setPriority(given.number("priority", 0));
        }
        if (given.has("to")) {
            presence.to(JidCreate.from(given.text("to")));
        }
        return presence.build();
    }

    private void send(Presence.Type type, BareJid to) throws Exception {
        connection.sendStanza(connection.getStanzaFactory().buildPresenceStanza().ofType(type).to(to).build());
    }

    private Roster roster() {
        return Roster.getInstanceFor(connection);
    }

    private void remove(BareJid jid) throws Exception {
        RosterEntry entry = roster().getEntry(jid);
        if (entry == null) {
            throw new IllegalStateException(jid + " is not on the roster");
        }
        roster().removeEntry(entry);
    }

    private JsonArray contacts() throws Exception {
        listeners.rosterCame.await(REPLY_MILLIS, TimeUnit.MILLISECONDS);
        JsonArray contacts = new JsonArray();
        for (RosterEntry entry : roster().getEntries()) {
            contacts.add(Teller.object(
                    "jid", entry.getJid().toString(),
                    "name", entry.getName(),
                    "subscription", entry.getType().toString()));
        }
        return contacts;
    }

    // --- what others can do

    private ServiceDiscoveryManager discovery() {
        return ServiceDiscoveryManager.getInstanceFor(connection);
    }

    /** The full JID of a contact that is available. */
    private Jid available(Jid jid) {
        FullJid full = jid.asFullJidIfPossible();
        Presence presence = full != null ? roster().getPresenceResource(full) : roster().getPresence(jid.asBareJid());
        if (!presence.isAvailable()) {
            throw new IllegalStateException(jid + " is not available");
        }
        return presence.getFrom();
    }

    private static JsonObject described(DiscoverInfo info, boolean identities) {
        JsonArray features = new JsonArray();
        info.getFeatures().forEach(feature -> features.add(feature.getVar()));
        JsonObject described = Teller.object("features", features);
        if (identities) {
            JsonArray named = new JsonArray();
            info.getIdentities().forEach(one -> named.add(Teller.object(
                    "category", one.getCategory(), "type", one.getType(), "name", one.getName())));
            described.add("identities", named);
        }
        return described;
    }

    private void ping(Jid jid) throws Exception {
        if (!PingManager.getInstanceFor(connection).ping(jid)) {
            throw new IllegalStateException(jid + " did not answer the ping well");
        }
    }

    // --- rooms

    private MultiUserChat room(EntityBareJid jid) {
        return rooms.computeIfAbsent(jid, room -> {
            MultiUserChat chat = MultiUserChatManager.getInstanceFor(connection).getMultiUserChat(room);
            listeners.listenTo(chat);
            return chat;
        });
    }

    private void join(EntityBareJid jid, Resourcepart nick) throws Exception {
        MultiUserChat.MucCreateConfigFormHandle created = room(jid).createOrJoin(nick);
        if (created != null) {
            created.makeInstant();
        }
    }

    // --- addresses

    private static Jid jid(Arguments given) throws Exception {
        return JidCreate.from(given.text("jid"));
    }

    private static BareJid bare(Arguments given) throws Exception {
        return jid(given).asBareJid();
    }

    private static EntityBareJid person(String jid) throws Exception {
        return JidCreate.from(jid).asEntityBareJidOrThrow();
    }
}
