import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.common.utils.Exit;

/**
 * Apache Kafka's command line tools, many invocations in one JVM, which would cost more than they do.
 *
 * Reads two lines an invocation, its words separated by tabs and its standard input as in a Java string,
 * and answers with a line "EXIT_CODE STDOUT_BYTES STDERR_BYTES" and those bytes.
 */
public class Tools {
    private static final Map<String, String> MAINS = Map.of(
        "kafka-topics", "org.apache.kafka.tools.TopicCommand",
        "kafka-configs", "kafka.admin.ConfigCommand",
        "kafka-get-offsets", "org.apache.kafka.tools.GetOffsetShell",
        "kafka-delete-records", "org.apache.kafka.tools.DeleteRecordsCommand",
        "kafka-log-dirs", "org.apache.kafka.tools.LogDirsCommand",
        "kafka-consumer-groups", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
        "kafka-console-producer", "org.apache.kafka.tools.ConsoleProducer",
        "kafka-console-consumer", "org.apache.kafka.tools.consumer.ConsoleConsumer");

    private static final ThreadLocal<CompletableFuture<Integer>> ENDS = new ThreadLocal<>();

    /** What the tool wants done when the process ends, such as to send what it has read. */
    private static final List<Runnable> HOOKS = new CopyOnWriteArrayList<>();

    public static void main(String[] args) throws Exception {
        PrintStream answers = System.out;
        Exit.setExitProcedure((code, message) -> end(code));
        Exit.setHaltProcedure((code, message) -> end(code));
        Exit.setShutdownHookAdder((name, hook) -> HOOKS.add(hook));
        BufferedReader invocations = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = invocations.readLine(); line != null; line = invocations.readLine()) {
            List<String> words = new ArrayList<>(List.of(line.split("\t", -1)));
            byte[] in = invocations.readLine().translateEscapes().getBytes(StandardCharsets.UTF_8);
            System.setIn(new ByteArrayInputStream(in));
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            ByteArrayOutputStream err = new ByteArrayOutputStream();
            System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
            System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
            int code = run(MAINS.get(words.remove(0)), words.toArray(new String[0]));
            System.out.flush();
            System.err.flush();
            answers.println(code + " " + out.size() + " " + err.size());
            out.writeTo(answers);
            err.writeTo(answers);
            answers.flush();
        }
    }

    /** Every tool has a thread of its own: where it would end the process, the thread stands still. */
    private static int run(String tool, String[] words) throws Exception {
        CompletableFuture<Integer> code = new CompletableFuture<>();
        HOOKS.clear();
        Thread thread = new Thread(() -> {
            ENDS.set(code);
            try {
                Class.forName(tool).getMethod("main", String[].class).invoke(null, (Object) words);
                code.complete(0);
            } catch (ReflectiveOperationException thrown) {
                System.err.print("Exception in thread \"main\" ");
                thrown.getCause().printStackTrace();
                code.complete(1);
            }
        });
        thread.setDaemon(true);
        thread.start();
        int ended = code.get();
        HOOKS.forEach(Runnable::run);
        return ended;
    }

    private static void end(int code) {
        ENDS.get().complete(code);
        LockSupport.park();
    }
}
