// kafka-clients: the clients of Apache Kafka itself, with their defaults (idempotent producers).

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.stream.Collectors.joining;

import java.time.Duration;
import java.util.*;
import java.util.concurrent.ExecutionException;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.*;

class Program {
    static final String PADDING = ".".repeat(200); // makes a batch worth compressing
    static final Duration PATIENCE = Duration.ofSeconds(10), MOMENT = Duration.ofMillis(100);
    static String bootstrap;

    public static void main(String[] args) throws Exception {
        bootstrap = args[1];
        String prefix = args[2] + "-", letters = prefix + "letters", work = prefix + "work";
        if (args[0].equals("after")) {
            after(work);
            return;
        }
        long time = Long.parseLong(args[3]);
        if (args[0].equals("details")) {
            details(prefix + "details", time);
            return;
        }
        topics(prefix, letters, work);
        var codecs = List.of("none", "gzip", "snappy", "lz4", "zstd");
        for (int number = 0; number < codecs.size(); number++)
            produceLetters(letters, codecs.get(number), time + number * 5_000);
        positions(letters, time);
        read("from the beginning", letters, 0, time);
        read("from offset 7", letters, 7, time);
        groupOfTwo(work);
    }

    static void topics(String prefix, String letters, String work) throws Exception {
        try (var admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            var topic = new NewTopic(letters, 3, (short) 1);
            admin.createTopics(List.of(topic, new NewTopic(work, 4, (short) 1))).all().get();
            System.out.println("create: done");
            try {
                admin.createTopics(List.of(topic)).all().get();
            } catch (ExecutionException refused) {
                System.out.println("create again: " + Errors.forException(refused.getCause()).code());
            }
            var mine = List.<String>of();
            while (mine.size() < 2) // a broker may hear of a topic a moment after it was created
                mine = admin.listTopics().names().get().stream().filter(name -> name.startsWith(prefix)).toList();
            var topics = new TreeMap<>(admin.describeTopics(mine).allTopicNames().get());
            System.out.println("list: " + topics.values().stream()
                .map(it -> it.name().substring(prefix.length()) + "=" + it.partitions().size()).collect(joining(" ")));
            System.out.println("describe: " + topics.get(letters).partitions().stream()
                .map(it -> it.partition() + "=" + it.leader().id() + "/" + ids(it.replicas()) + "/" + ids(it.isr()))
                .collect(joining(" ")));
        }
    }

    static String ids(List<Node> nodes) {
        return nodes.stream().map(Node::idString).collect(joining(","));
    }

    static KafkaProducer<String, String> producer(String codec) {
        return new KafkaProducer<>(Map.of("bootstrap.servers", bootstrap, "compression.type", codec, "linger.ms", 100),
            new StringSerializer(), new StringSerializer());
    }

    static void produceLetters(String topic, String codec, long time) throws Exception {
        try (var producer = producer(codec)) {
            var sent = new ArrayList<java.util.concurrent.Future<RecordMetadata>>();
            for (int number = 0; number < 5; number++) {
                String key = number == 2 ? null : "k" + number;
                String value = number == 3 ? "" : number == 4 ? null : codec + "-" + number + PADDING;
                sent.add(producer.send(new ProducerRecord<>(topic, 0, time + number * 1000, key, value,
                    List.of(new RecordHeader("codec", codec.getBytes(UTF_8))))));
            }
            producer.flush();
            System.out.print("produce " + codec + ":");
            for (var it : sent) System.out.print(" " + it.get().offset());
            System.out.println();
        }
    }

    static KafkaConsumer<String, String> consumer(String group) {
        return new KafkaConsumer<>(Map.of("bootstrap.servers", bootstrap, "group.id", group, "auto.offset.reset", "earliest",
            "enable.auto.commit", false), new StringDeserializer(), new StringDeserializer());
    }

    static void positions(String topic, long time) {
        try (var consumer = consumer(topic + "-asking")) {
            var partitions = IntStream.range(0, 3).mapToObj(it -> new TopicPartition(topic, it)).toList();
            var starts = consumer.beginningOffsets(partitions);
            var ends = consumer.endOffsets(partitions);
            System.out.println("ends: " + partitions.stream().map(it -> starts.get(it) + "-" + ends.get(it)).collect(joining(" ")));
            System.out.println("at the time of 7: " + at(consumer, partitions.get(0), time + 7000));
            System.out.println("a moment after 7: " + at(consumer, partitions.get(0), time + 7001));
            System.out.println("after the last: " + at(consumer, partitions.get(0), time + 3_500_000));
            System.out.println("at any time of none: " + at(consumer, partitions.get(1), 0));
        }
    }

    static Object at(Consumer<?, ?> consumer, TopicPartition partition, long time) {
        var found = consumer.offsetsForTimes(Map.of(partition, time)).get(partition);
        return found == null ? "none" : found.offset();
    }

    static void read(String what, String topic, long from, long time) {
        try (var consumer = consumer(topic + "-asking")) {
            var partition = new TopicPartition(topic, 0);
            consumer.assign(List.of(partition));
            consumer.seek(partition, from);
            long end = consumer.endOffsets(List.of(partition)).get(partition);
            System.out.print(what + ":");
            while (consumer.position(partition) < end)
                for (var it : consumer.poll(PATIENCE))
                    System.out.print(" " + it.offset() + "=" + text(it.key()) + "/" + text(it.value()) + "/"
                        + new String(it.headers().lastHeader("codec").value(), UTF_8) + "/" + (it.timestamp() - time));
            System.out.println();
        }
    }

    static String text(String data) {
        return data == null ? "~" : data.endsWith(PADDING) ? data.substring(0, data.length() - PADDING.length()) : data;
    }

    static KafkaConsumer<String, String> join(String topic) {
        var member = consumer(topic + "-group");
        member.subscribe(List.of(topic));
        return member;
    }

    // The offsets that came, by partition: `0=0-9` when these are ten, each once, in order.
    static void readWork(List<KafkaConsumer<String, String>> members, int count) {
        var offsets = new TreeMap<Integer, List<Long>>();
        while (offsets.values().stream().mapToInt(List::size).sum() < count)
            for (var member : members)
                for (var it : member.poll(MOMENT))
                    offsets.computeIfAbsent(it.partition(), none -> new ArrayList<>()).add(it.offset());
        System.out.println("group read: " + offsets.entrySet().stream().map(it -> {
            long first = it.getValue().get(0);
            boolean inOrder = it.getValue().equals(LongStream.range(first, first + 10).boxed().toList());
            return it.getKey() + "=" + (inOrder ? first + "-" + (first + 9) : it.getValue());
        }).collect(joining(" ")));
    }

    static void produceWork(String topic) {
        try (var producer = producer("none")) {
            for (int number = 0; number < 40; number++)
                producer.send(new ProducerRecord<>(topic, number % 4, null, "work-" + number));
        }
    }

    static void committed(Consumer<?, ?> consumer, String topic) {
        var partitions = IntStream.range(0, 4).mapToObj(it -> new TopicPartition(topic, it)).collect(Collectors.toSet());
        var found = consumer.committed(partitions);
        System.out.println("committed: " + partitions.stream().sorted(Comparator.comparing(TopicPartition::partition))
            .map(it -> it.partition() + "=" + found.get(it).offset() + "/" + found.get(it).metadata()).collect(joining(" ")));
    }

    static void groupOfTwo(String topic) {
        var members = List.of(join(topic), join(topic));
        while (members.stream().anyMatch(it -> it.assignment().size() != 2))
            members.forEach(it -> it.poll(MOMENT));
        System.out.println("members: 2 2");
        produceWork(topic);
        readWork(members, 40);
        for (var member : members)
            member.commitSync(member.assignment().stream()
                .collect(Collectors.toMap(it -> it, it -> new OffsetAndMetadata(10, "noted"))));
        committed(members.get(0), topic);
        members.forEach(Consumer::close);
    }

    // What other brokers were found to answer differently.
    static void details(String topic, long time) throws Exception {
        try (var admin = Admin.create(Map.of("bootstrap.servers", bootstrap)); var producer = producer("gzip")) {
            var compacted = new NewTopic(topic, 3, (short) 1).configs(Map.of("cleanup.policy", "compact"));
            var planned = admin.createTopics(List.of(compacted), new CreateTopicsOptions().validateOnly(true));
            System.out.println("validated: " + planned.numPartitions(topic).get() + "/" + planned.replicationFactor(topic).get());
            admin.createTopics(List.of(compacted)).all().get();
            for (var name : List.of("a b", ".", "x".repeat(250), "x.y", "x_y"))
                System.out.println("create " + name.substring(0, Math.min(3, name.length())) + ": " + refusal(admin.createTopics(List.of(new NewTopic(name, 1, (short) 1))).all()));
            for (var config : List.of("nonsense=1", "retention.ms=x", "cleanup.policy=x")) {
                var wrong = new NewTopic(topic + "-wrong", 1, (short) 1).configs(Map.of(config.split("=")[0], config.split("=")[1]));
                System.out.println("create with " + config + ": " + refusal(admin.createTopics(List.of(wrong)).all()));
            }
            for (var replicas : List.of(List.of(7), List.of(1, 1)))
                System.out.println("create on " + replicas + ": "
                    + refusal(admin.createTopics(List.of(new NewTopic(topic + "-wrong", Map.of(0, replicas)))).all()));

            var partition = new TopicPartition(topic, 0);
            System.out.println("latest time of none: " + offset(admin, partition, OffsetSpec.maxTimestamp()));
            for (long since : new long[] {0, 2000, 1000, 2000})
                producer.send(new ProducerRecord<>(topic, 0, time + since, "k", "v"));
            producer.flush();
            System.out.println("latest time: " + offset(admin, partition, OffsetSpec.maxTimestamp()));
            System.out.println("earliest on disk: " + offset(admin, partition, OffsetSpec.earliestLocal()));
            System.out.println("tiered: " + offset(admin, partition, OffsetSpec.latestTiered()));
            System.out.println("without key: " + refusal(producer.send(new ProducerRecord<>(topic, 0, null, "v"))));
            System.out.println("ahead of time: " + refusal(producer.send(new ProducerRecord<>(topic, 0, time + 3 * 3_600_000, "k", "v"))));
            System.out.println("noted too much: " + refusal(admin.alterConsumerGroupOffsets(topic + "-group",
                Map.of(partition, new OffsetAndMetadata(1, "x".repeat(5000)))).all()));
        }
    }

    static Object offset(Admin admin, TopicPartition partition, OffsetSpec spec) throws Exception {
        var found = admin.listOffsets(Map.of(partition, spec)).all().get().get(partition);
        return found.offset() + found.leaderEpoch().map(epoch -> " in epoch " + epoch).orElse("");
    }

    // Kafka's code of the error that a request ends with.
    static Object refusal(java.util.concurrent.Future<?> request) throws Exception {
        try {
            request.get();
            return "none";
        } catch (ExecutionException refused) {
            return Errors.forException(refused.getCause());
        }
    }

    static void after(String topic) {
        produceWork(topic);
        try (var reader = join(topic)) {
            committed(reader, topic);
            readWork(List.of(reader), 40);
        }
    }
}
