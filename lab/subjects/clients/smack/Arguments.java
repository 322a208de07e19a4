import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.Map;
import java.util.Set;

/** A command and its arguments. What is not listed here, a later lab may have thought of: `unsupported`. */
final class Arguments {
    private static final Map<String, Set<String>> KNOWN = Map.ofEntries(
            Map.entry("connect", Set.of()),
            Map.entry("disconnect", Set.of()),
            Map.entry("send-message", Set.of("to", "body", "type", "receipt")),
            Map.entry("correct-message", Set.of("to", "body", "sent", "type")),
            Map.entry("send-chat-state", Set.of("to", "state")),
            Map.entry("send-presence", Set.of("show", "status", "priority", "to")),
            Map.entry("subscribe", Set.of("jid")),
            Map.entry("accept", Set.of("jid")),
            Map.entry("refuse", Set.of("jid")),
            Map.entry("unsubscribe", Set.of("jid")),
            Map.entry("remove-contact", Set.of("jid")),
            Map.entry("roster", Set.of()),
            Map.entry("discover", Set.of("jid", "node")),
            Map.entry("features-of", Set.of("jid")),
            Map.entry("ping", Set.of("jid")),
            Map.entry("join", Set.of("room", "nick")),
            Map.entry("leave", Set.of("room")),
            Map.entry("enable-carbons", Set.of()),
            Map.entry("archive", Set.of("with", "max")),
            Map.entry("publish-nick", Set.of("nick")));

    final String command;
    private final JsonObject given;

    Arguments(JsonObject line) throws Unsupported {
        command = line.get("command").getAsString();
        given = line;
        Set<String> known = KNOWN.get(command);
        if (known == null) {
            throw new Unsupported("the agent knows no command " + command);
        }
        for (String name : line.keySet()) {
            if (!known.contains(name) && !name.equals("id") && !name.equals("command")) {
                throw new Unsupported("the agent knows no argument " + name + " of " + command);
            }
        }
    }

    boolean has(String name) {
        return given.has(name);
    }

    String text(String name) {
        return needed(name).getAsString();
    }

    String text(String name, String otherwise) {
        return has(name) ? text(name) : otherwise;
    }

    int number(String name, int otherwise) {
        return has(name) ? needed(name).getAsInt() : otherwise;
    }

    boolean flag(String name) {
        return has(name) && needed(name).getAsBoolean();
    }

    private JsonElement needed(String name) {
        JsonElement value = given.get(name);
        if (value == null) {
            throw new IllegalArgumentException(command + " needs " + name);
        }
        return value;
    }
}
