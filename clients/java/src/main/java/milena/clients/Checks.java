package milena.clients;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;

/** The tests of a suite: each prints one line, {@code ok NAME} or {@code FAIL NAME: reason}. */
final class Checks {
    interface Body {
        void run() throws Exception;
    }

    private record Check(String name, Body body) {}

    private final List<Check> checks = new ArrayList<>();

    void add(String name, Body body) {
        checks.add(new Check(name, body));
    }

    void run() {
        run("");
    }

    /** Runs the tests whose name contains a text. */
    void run(String only) {
        for (Check check : checks) {
            if (!check.name.contains(only)) {
                continue;
            }
            long started = System.nanoTime();
            String outcome;
            try {
                check.body.run();
                outcome = "ok " + check.name;
            } catch (Throwable failure) {
                outcome = "FAIL " + check.name + ": " + reason(failure);
            }
            System.out.printf("%s (%d ms)%n", outcome, (System.nanoTime() - started) / 1_000_000);
        }
        System.out.println("done");
    }

    private static String reason(Throwable failure) {
        for (StackTraceElement frame : failure.getStackTrace()) {
            if (frame.getClassName().startsWith("milena.clients.") && !frame.getClassName().endsWith("Checks")) {
                return (failure + " at " + frame.getFileName() + ":" + frame.getLineNumber()).replace('\n', ' ');
            }
        }
        return failure.toString().replace('\n', ' ');
    }

    static void that(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    static void equal(Object expected, Object actual, String what) {
        if (!Objects.equals(expected, actual)) {
            throw new AssertionError(what + ": expected " + expected + ", got " + actual);
        }
    }

    /** The call must fail, with exactly this exception or as its cause. */
    static <T extends Throwable> T fails(Class<T> expected, Callable<?> call) {
        try {
            Object result = call.call();
            throw new AssertionError("expected " + expected.getSimpleName() + ", got " + result);
        } catch (AssertionError failure) {
            throw failure;
        } catch (Throwable failure) {
            Throwable cause = failure instanceof ExecutionException ? failure.getCause() : failure;
            if (cause.getClass() != expected) {
                throw new AssertionError("expected " + expected.getSimpleName() + ", got " + cause, cause);
            }
            return expected.cast(cause);
        }
    }

    /** Asks until the condition holds. */
    static void eventually(String what, long limitMs, Callable<Boolean> condition) throws Exception {
        long deadline = System.currentTimeMillis() + limitMs;
        while (!condition.call()) {
            that(System.currentTimeMillis() < deadline, "not within " + limitMs + " ms: " + what);
            Thread.sleep(50);
        }
    }
}
