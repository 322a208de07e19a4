import java.util.Collection;
import java.util.Date;
import java.util.concurrent.CountDownLatch;
import org.jivesoftware.smack.ConnectionListener;
import org.jivesoftware.smack.XMPPConnection;
import org.jivesoftware.smack.chat2.ChatManager;
import org.jivesoftware.smack.filter.MessageTypeFilter;
import org.jivesoftware.smack.packet.Message;
import org.jivesoftware.smack.packet.Presence;
import org.jivesoftware.smack.roster.AbstractRosterListener;
import org.jivesoftware.smack.roster.Roster;
import org.jivesoftware.smack.roster.RosterEntry;
import org.jivesoftware.smack.roster.RosterLoadedListener;
import org.jivesoftware.smackx.carbons.CarbonManager;
import org.jivesoftware.smackx.chatstates.ChatStateManager;
import org.jivesoftware.smackx.delay.packet.DelayInformation;
import org.jivesoftware.smackx.muc.MultiUserChat;
import org.jivesoftware.smackx.nick.packet.Nick;
import org.jivesoftware.smackx.pep.PepManager;
import org.jivesoftware.smackx.receipts.DeliveryReceiptManager;
import org.jxmpp.jid.Jid;
import org.jxmpp.util.XmppDateTime;

/** What Smack's managers show whoever listens to them, told as events. */
final class Listeners extends AbstractRosterListener implements ConnectionListener, RosterLoadedListener {
    private final XMPPConnection connection;
    private final Teller teller;
    private volatile boolean online;
    private volatile boolean leaving; // we asked for the end
    volatile CountDownLatch rosterCame; // or was refused
    volatile boolean resumed;
    volatile boolean wasOnline;

    Listeners(XMPPConnection connection, Teller teller) {
        this.connection = connection;
        this.teller = teller;
        connection.addConnectionListener(this);
        Roster roster = Roster.getInstanceFor(connection);
        roster.addRosterListener(this);
        roster.addRosterLoadedListener(this);
        roster.setSubscriptionMode(Roster.SubscriptionMode.manual);
        roster.addSubscribeListener((from, request) -> {
            teller.tell("subscription-request", "from", from.toString());
            return null; // the user answers
        });
        ChatManager.getInstanceFor(connection).addIncomingListener((from, message, chat) -> tell(message, null));
        // No chat of Smack's has headlines.
        connection.addSyncStanzaListener(stanza -> tell((Message) stanza, null), MessageTypeFilter.HEADLINE);
        CarbonManager.getInstanceFor(connection).addCarbonCopyReceivedListener(
                (direction, copy, wrapping) -> tell(copy, direction.toString()));
        ChatStateManager.getInstance(connection).addChatStateListener((chat, state, message) ->
                teller.tell("chat-state", "from", message.getFrom().toString(), "state", state.toString()));
        DeliveryReceiptManager.getInstanceFor(connection).addReceiptReceivedListener((from, to, id, receipt) ->
                teller.tell("receipt", "from", from.toString(), "sent", id));
        PepManager.getInstanceFor(connection).addPepEventListener(Nick.NAMESPACE, Nick.class,
                (from, nick, id, message) -> teller.tell("nick", "from", from.toString(), "nick", nick.getName()));
    }

    void listenTo(MultiUserChat room) {
        room.addMessageListener(message -> tell(message, null));
        room.addParticipantListener(this::presenceChanged);
    }

    private void tell(Message message, String carbon) {
        if (message.getBody() == null || message.getType() == Message.Type.error) {
            return;
        }
        // No `corrects`: Smack says that a message wants to replace another; whether it does is its user's to judge.
        teller.tell("message",
                "from", text(message.getFrom()),
                "to", message.getTo() == null ? null : message.getTo().toString(),
                "body", message.getBody(),
                "id", message.getStanzaId(),
                "type", message.getType().toString(),
                "carbon", carbon,
                "stamp", stamp(DelayInformation.from(message)));
    }

    private static String text(Jid jid) {
        return jid == null ? "" : jid.toString();
    }

    static String stamp(DelayInformation delay) {
        Date stamp = delay == null ? null : delay.getStamp();
        return stamp == null ? null : XmppDateTime.formatXEP0082Date(stamp);
    }

    // --- the connection

    void begin() {
        leaving = false;
        rosterCame = new CountDownLatch(1);
    }

    void end() {
        leaving = true;
    }

    @Override
    public void authenticated(XMPPConnection connection, boolean resumed) {
        this.resumed = resumed;
        if (resumed) {
            rosterCame.countDown(); // it is the old one
        }
        online = wasOnline = true;
        teller.tell("online", "jid", connection.getUser().toString());
    }

    @Override
    public void connectionClosed() {
        ended("the stream was closed");
    }

    @Override
    public void connectionClosedOnError(Exception error) {
        error.printStackTrace();
        ended(Teller.words(error));
    }

    private void ended(String reason) {
        if (online && !leaving) {
            teller.tell("offline", "reason", reason);
        }
        online = false;
    }

    // --- the roster

    @Override
    public void onRosterLoaded(Roster roster) {
        rosterCame.countDown();
    }

    @Override
    public void onRosterLoadingFailed(Exception error) {
        teller.log("no roster: " + Teller.words(error));
        rosterCame.countDown();
    }

    @Override
    public void entriesAdded(Collection<Jid> jids) {
        jids.forEach(this::tellContact);
    }

    @Override
    public void entriesUpdated(Collection<Jid> jids) {
        jids.forEach(this::tellContact);
    }

    @Override
    public void entriesDeleted(Collection<Jid> jids) {
        jids.forEach(jid -> teller.tell("contact", "jid", jid.toString(), "subscription", "remove"));
    }

    private void tellContact(Jid jid) {
        RosterEntry entry = Roster.getInstanceFor(connection).getEntry(jid.asBareJid());
        teller.tell("contact",
                "jid", jid.toString(),
                "name", entry == null ? null : entry.getName(),
                "subscription", entry == null ? null : entry.getType().toString());
    }

    @Override
    public void presenceChanged(Presence presence) {
        if (presence.getFrom() == null || presence.getFrom().equals(connection.getUser())) {
            return; // one's own
        }
        boolean available = presence.isAvailable();
        Presence.Mode mode = presence.getMode();
        teller.tell("presence",
                "from", presence.getFrom().toString(),
                "available", available,
                "show", !available || mode == Presence.Mode.available ? null : mode.toString(),
                "status", presence.getStatus());
    }
}
