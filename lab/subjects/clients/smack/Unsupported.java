/** The client cannot do that. */
final class Unsupported extends Exception {
    Unsupported(String reason) {
        super(reason);
    }
}
