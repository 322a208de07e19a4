import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.jivesoftware.smack.Smack;

/** Smack's agent (docs/clients.md): commands in, events out. One thread reads, one carries out, Smack's own ones tell. */
public final class Agent {
    private static final long END_MILLIS = 1200; // twice at most: for the commands that came, and to log out
    private static final JsonObject END = new JsonObject();

    public static void main(String[] arguments) throws Exception {
        Teller teller = new Teller(System.out);
        System.setOut(System.err); // whoever else prints: standard output is for events alone
        Client client = new Client(System.getenv(), teller);
        teller.tell("ready", "client", "Smack", "version", Smack.getVersion().split(" ")[0]);

        BlockingQueue<JsonObject> commands = new LinkedBlockingQueue<>();
        Thread worker = daemon("commands", () -> {
            for (JsonObject command = commands.take(); command != END; command = commands.take()) {
                carryOut(client, command, teller);
            }
        });
        read(commands, teller);
        commands.add(END);
        worker.join(END_MILLIS);
        daemon("log out", client::logOut).join(END_MILLIS);
        System.exit(0);
    }

    private static void read(BlockingQueue<JsonObject> commands, Teller teller) throws IOException {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            try {
                JsonObject command = JsonParser.parseString(line).getAsJsonObject();
                command.get("id").getAsInt();
                command.get("command").getAsString();
                commands.add(command);
            } catch (JsonParseException | IllegalStateException | UnsupportedOperationException
                    | NumberFormatException | NullPointerException error) {
                teller.log("not a command: " + line);
            }
        }
    }

    private static void carryOut(Client client, JsonObject command, Teller teller) {
        int id = command.get("id").getAsInt();
        try {
            teller.answer("done", id, client.carryOut(new Arguments(command)));
        } catch (Unsupported unsupported) {
            teller.answer("unsupported", id, Teller.object("reason", unsupported.getMessage()));
        } catch (Exception | Error error) { // whatever it is, it is what the client said
            error.printStackTrace();
            teller.answer("failed", id, Teller.object("reason", Teller.words(error)));
        }
    }

    private interface Work {
        void run() throws Exception;
    }

    private static Thread daemon(String name, Work work) {
        Thread thread = new Thread(() -> {
            try {
                work.run();
            } catch (Exception error) {
                error.printStackTrace();
            }
        }, name);
        thread.setDaemon(true);
        thread.start();
        return thread;
    }
}
