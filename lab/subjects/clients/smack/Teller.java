import com.google.gson.Gson;
import com.google.gson.JsonObject;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/** Writes events, one a line, from whatever thread. */
final class Teller {
    private static final Gson GSON = new com.google.gson.GsonBuilder().disableHtmlEscaping().create();

    private final PrintStream out;

    Teller(PrintStream out) {
        this.out = out;
    }

    /** An event with the pairs of name and value that follow; a pair without a value is left out. */
    void tell(String event, Object... pairs) {
        JsonObject line = Teller.object("event", event);
        add(line, pairs);
        write(line);
    }

    void log(String text) {
        tell("log", "text", text);
    }

    void answer(String event, int id, JsonObject results) {
        JsonObject line = Teller.object("event", event, "id", id);
        results.entrySet().forEach(result -> line.add(result.getKey(), result.getValue()));
        write(line);
    }

    private void write(JsonObject line) {
        byte[] bytes = (GSON.toJson(line) + "\n").getBytes(StandardCharsets.UTF_8);
        synchronized (out) {
            out.write(bytes, 0, bytes.length);
            out.flush();
        }
    }

    static JsonObject object(Object... pairs) {
        JsonObject object = new JsonObject();
        add(object, pairs);
        return object;
    }

    private static void add(JsonObject object, Object[] pairs) {
        for (int i = 0; i < pairs.length; i += 2) {
            if (pairs[i + 1] != null) {
                object.add((String) pairs[i], GSON.toJsonTree(pairs[i + 1]));
            }
        }
    }

    /** What an exception says, with its causes, as far as it does not repeat them. */
    static String words(Throwable error) {
        StringBuilder words = new StringBuilder(error.toString());
        for (Throwable one = error.getCause(); one != null; one = one.getCause()) {
            if (one.getMessage() == null || words.indexOf(one.getMessage()) < 0) {
                words.append("; because of ").append(one);
            }
        }
        return words.toString();
    }
}
