// What an admin is told: configs, partitions, elections, moves, sizes. One fact a line; `admins.txt` has what
// Apache Kafka 4.3.1 says.

import java.util.*;
import java.util.concurrent.ExecutionException;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.ConfigResource.Type;
import org.apache.kafka.common.protocol.Errors;

class Admins {
    interface Question { Object ask() throws Exception; }

    static final ConfigResource TOPIC = resource(Type.TOPIC, "admins"), NODE = resource(Type.BROKER, "1"),
        ALL_NODES = resource(Type.BROKER, "");
    static Admin admin;

    public static void main(String[] args) throws Exception {
        try (var connected = Admin.create(Map.of("bootstrap.servers", args[0]))) {
            admin = connected;
            admin.createTopics(List.of(new NewTopic("admins", 3, (short) 1).configs(Map.of("retention.ms", "77")))).all().get();
            while (described(TOPIC).isEmpty()) Thread.onSpinWait(); // a broker may hear of a topic a moment later
            describedConfigs();
            refusedConfigs();
            lists();
            nodes();
            partitions();
            topics();
            moves();
        }
    }

    static void describedConfigs() {
        // Where the brokers' own defaults differ, on purpose.
        var differ = Set.of("flush.messages", "min.insync.replicas", "segment.bytes");
        tell("topic configs", () -> described(TOPIC).stream().filter(it -> !differ.contains(it.name()))
            .map(it -> "\n  " + it.name() + "=" + it.value() + " " + it.type() + " " + it.source() + " " + it.synonyms().stream()
                .map(synonym -> synonym.source() + ":" + synonym.name() + "=" + synonym.value()).toList())
            .collect(Collectors.joining()));
        tell("with documentation", () -> admin.describeConfigs(List.of(TOPIC), new DescribeConfigsOptions().includeDocumentation(true))
            .all().get().get(TOPIC).entries().stream().allMatch(it -> !it.documentation().isEmpty()));
        tell("of no topic", () -> described(resource(Type.TOPIC, "no-such")));
        tell("of a bad name", () -> described(resource(Type.TOPIC, "a b")));
    }

    static void refusedConfigs() {
        for (var config : List.of("retention.ms=-2", "retention.ms=7d", "retention.ms=", "max.message.bytes=3000000000",
                "segment.bytes=1048575", "compression.type=brotli", "cleanup.policy=compact,shred", "min.insync.replicas=0",
                "min.cleanable.dirty.ratio=1.5", "min.cleanable.dirty.ratio=x", "preallocate=yes", "nonsense=1",
                "remote.storage.enable=true", "max.compaction.lag.ms=0", "leader.replication.throttled.replicas=x",
                "local.retention.bytes=-3", "compression.lz4.level=99", "compression.gzip.level=0", "message.timestamp.type=x",
                "segment.ms=0", "flush.messages=0", "index.interval.bytes=-1"))
            tell("set " + config, () -> alter(TOPIC, OpType.SET, config));
        tell("set lags", () -> alter(TOPIC, OpType.SET, "min.compaction.lag.ms=2", "max.compaction.lag.ms=1"));
        tell("set twice", () -> alter(TOPIC, OpType.SET, "retention.ms=1", "retention.ms=2"));
        tell("set of no topic", () -> alter(resource(Type.TOPIC, "no-such"), OpType.SET, "retention.ms=1"));
        tell("set of a bad name", () -> alter(resource(Type.TOPIC, "a b"), OpType.SET, "retention.ms=1"));
        tell("set of no name", () -> alter(resource(Type.TOPIC, ""), OpType.SET, "retention.ms=1"));
        tell("own", () -> own(TOPIC));
        tell("set", () -> alter(TOPIC, OpType.SET, "retention.ms= 5 ", "preallocate=TRUE", "cleanup.policy=compact, delete"));
        var kept = "cleanup.policy=compact,delete from DYNAMIC_TOPIC_CONFIG";
        tell("own", () -> eventually("[" + kept + ", preallocate=true from DYNAMIC_TOPIC_CONFIG, "
            + "retention.ms=5 from DYNAMIC_TOPIC_CONFIG]", () -> own(TOPIC)));
        tell("delete", () -> alter(TOPIC, OpType.DELETE, "retention.ms=", "preallocate=", "nonsense="));
        tell("only validated", () -> admin.incrementalAlterConfigs(Map.of(TOPIC, List.of(operation(OpType.SET, "retention.ms=9"))),
            new AlterConfigsOptions().validateOnly(true)).all().get());
        tell("own", () -> eventually("[" + kept + "]", () -> own(TOPIC)));
    }

    static void lists() {
        for (var step : List.of("DELETE cleanup.policy=", "APPEND cleanup.policy=compact > delete,compact",
                "APPEND cleanup.policy=compact > delete,compact", "SUBTRACT cleanup.policy=delete > compact",
                "SUBTRACT cleanup.policy=compact > ", "SUBTRACT cleanup.policy=compact > ", "DELETE cleanup.policy=",
                "APPEND retention.ms=1", "SUBTRACT retention.ms=1", "APPEND nonsense=1")) {
            var parts = step.split(" > ", -1);
            var expected = parts.length == 1 ? "[]" : "[cleanup.policy=" + parts[1] + " from DYNAMIC_TOPIC_CONFIG]";
            tell(parts[0], () -> {
                alter(TOPIC, OpType.valueOf(parts[0].split(" ")[0]), parts[0].split(" ")[1]);
                return eventually(expected, () -> own(TOPIC));
            });
        }
    }

    static void nodes() {
        tell("node: set", () -> alter(NODE, OpType.SET, "log.retention.ms=600000"));
        tell("all nodes: append", () -> alter(ALL_NODES, OpType.APPEND, "log.cleanup.policy=compact"));
        for (var config : List.of("log.dirs=/x", "log.retention.ms=x", "log.segment.bytes=12"))
            tell("node: set " + config, () -> alter(NODE, OpType.SET, config));
        tell("topic", () -> eventually("[cleanup.policy=delete,compact from DYNAMIC_DEFAULT_BROKER_CONFIG, "
            + "retention.ms=600000 from DYNAMIC_BROKER_CONFIG]", () -> own(TOPIC)));
        tell("node: delete", () -> alter(NODE, OpType.DELETE, "log.retention.ms=", "nonsense=", "log.dirs="));
        tell("all nodes: delete", () -> alter(ALL_NODES, OpType.DELETE, "log.cleanup.policy="));
        tell("topic", () -> eventually("[]", () -> own(TOPIC)));
        tell("resources", () -> admin.listConfigResources(Set.of(Type.TOPIC, Type.BROKER, Type.BROKER_LOGGER), new ListConfigResourcesOptions())
            .all().get().stream().filter(it -> it.type() != Type.TOPIC || it.equals(TOPIC)).map(it -> it.type() + " " + it.name()).sorted().toList());
    }

    static void partitions() {
        for (var wrong : List.of(NewPartitions.increaseTo(3), NewPartitions.increaseTo(2), NewPartitions.increaseTo(-1),
                NewPartitions.increaseTo(4, List.of(List.of(2))), NewPartitions.increaseTo(4, List.of(List.of(1), List.of(1))),
                NewPartitions.increaseTo(4, List.of(List.of(1, 1))), NewPartitions.increaseTo(4, List.of(List.of()))))
            tell("grow to " + wrong.totalCount() + " " + wrong.assignments(), () -> grow("admins", wrong, false));
        tell("grow no topic", () -> grow("no-such", NewPartitions.increaseTo(4), false));
        tell("grow, only validated", () -> grow("admins", NewPartitions.increaseTo(4), true));
        tell("grow", () -> grow("admins", NewPartitions.increaseTo(5, List.of(List.of(1), List.of(1))), false));
        tell("partitions", () -> eventually("5", () -> admin.describeTopics(List.of("admins"),
            new DescribeTopicsOptions().partitionSizeLimitPerResponse(2)).allTopicNames().get().get("admins").partitions().size()));
        tell("topic operations", () -> admin.describeTopics(List.of("admins"), new DescribeTopicsOptions().includeAuthorizedOperations(true))
            .allTopicNames().get().get("admins").authorizedOperations().stream().map(Object::toString).sorted().toList());
        tell("cluster operations", () -> admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true))
            .authorizedOperations().get().stream().map(Object::toString).sorted().toList());
        var replicas = IntStream.range(0, 5).mapToObj(it -> "admins-" + it + "=ReplicaInfo(size=0, offsetLag=0, isFuture=false)").toList();
        tell("log dirs", () -> eventually("[true " + replicas + "]", () -> admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1).values().stream()
            .map(it -> (it.totalBytes().getAsLong() > it.usableBytes().getAsLong()) + " " + it.replicaInfos().entrySet().stream()
                .filter(replica -> replica.getKey().topic().equals("admins")).map(Object::toString).sorted().toList()).toList()));
    }

    static void topics() {
        for (var wrong : List.of(new NewTopic("admins", 1, (short) 1), new NewTopic("wrong", 0, (short) 1), new NewTopic("wrong", 1, (short) 0),
                new NewTopic("wrong", Map.of(0, List.of(1, 1))), new NewTopic("wrong", Map.of(0, List.of(2))),
                new NewTopic("wrong", Map.of(1, List.of(1))), new NewTopic("wrong", Map.of(0, List.of())),
                new NewTopic("wrong", 1, (short) 1).configs(Collections.singletonMap("retention.ms", null))))
            tell("create " + wrong, () -> admin.createTopics(List.of(wrong)).all().get());
        tell("created with", () -> admin.createTopics(List.of(new NewTopic("made", 1, (short) 1).configs(Map.of("retention.ms", "88"))))
            .config("made").get().entries().stream().filter(it -> it.source().name().equals("DYNAMIC_TOPIC_CONFIG"))
            .map(it -> it.name() + "=" + it.value()).toList());
    }

    static void moves() {
        var asked = Set.of(new TopicPartition("admins", 0), new TopicPartition("admins", 9), new TopicPartition("no-such", 0));
        for (var type : ElectionType.values()) {
            tell("elect " + type, () -> admin.electLeaders(type, asked).partitions().get().entrySet().stream()
                .map(it -> it.getKey() + "=" + it.getValue().get().getMessage()).sorted().toList());
            tell("elect all " + type, () -> admin.electLeaders(type, null).partitions().get());
        }
        for (var partition : asked.stream().sorted(Comparator.comparing(TopicPartition::toString)).toList())
            for (var replicas : List.of(List.<Integer>of(), List.of(1), List.of(2), List.of(1, 1)))
                tell("move " + partition + " to " + replicas, () -> admin.alterPartitionReassignments(Map.of(partition,
                    replicas.isEmpty() ? Optional.empty() : Optional.of(new NewPartitionReassignment(replicas)))).all().get());
        tell("moves", () -> admin.listPartitionReassignments().reassignments().get());
    }

    static Object grow(String topic, NewPartitions partitions, boolean validateOnly) throws Exception {
        return admin.createPartitions(Map.of(topic, partitions), new CreatePartitionsOptions().validateOnly(validateOnly)).all().get();
    }

    static Object alter(ConfigResource resource, OpType type, String... configs) throws Exception {
        return admin.incrementalAlterConfigs(Map.of(resource, Stream.of(configs).map(it -> operation(type, it)).toList())).all().get();
    }

    static AlterConfigOp operation(OpType type, String config) {
        var parts = config.split("=", 2);
        return new AlterConfigOp(new ConfigEntry(parts[0], parts[1]), type);
    }

    static List<ConfigEntry> described(ConfigResource resource) throws Exception {
        try {
            var options = new DescribeConfigsOptions().includeSynonyms(true);
            return admin.describeConfigs(List.of(resource), options).all().get().get(resource).entries().stream()
                .sorted(Comparator.comparing(ConfigEntry::name)).toList();
        } catch (ExecutionException refused) {
            if (resource.equals(TOPIC)) return List.of();
            throw refused;
        }
    }

    // Without the minimum of in-sync replicas, which Apache Kafka sets for all nodes by itself.
    static Object own(ConfigResource resource) throws Exception {
        return described(resource).stream().filter(it -> it.source().name().startsWith("DYNAMIC") && !it.name().equals("min.insync.replicas"))
            .map(it -> it.name() + "=" + it.value() + " from " + it.source()).toList();
    }

    // What all nodes are told comes to each a moment later.
    static Object eventually(String expected, Question question) throws Exception {
        var found = question.ask();
        for (var until = System.nanoTime() + 10_000_000_000L; !found.toString().equals(expected) && System.nanoTime() < until; )
            found = question.ask();
        return found;
    }

    static ConfigResource resource(Type type, String name) {
        return new ConfigResource(type, name);
    }

    static void tell(String name, Question question) {
        try {
            var answer = question.ask();
            System.out.println(name + ": " + (answer == null ? "done" : answer));
        } catch (Exception failed) {
            var cause = failed instanceof ExecutionException ? failed.getCause() : failed;
            System.out.println(name + ": " + Errors.forException(cause) + ", " + cause.getMessage());
        }
    }
}
