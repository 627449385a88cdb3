"""confluent-kafka: librdkafka as Python programs use it."""

import sys
from collections import defaultdict

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

PADDING = "." * 200  # makes a batch worth compressing


def text(data):
    return "~" if data is None else data.decode().removesuffix(PADDING)


def before(bootstrap, prefix, time):
    letters, work, time = f"{prefix}-letters", f"{prefix}-work", int(time)
    admin = AdminClient({"bootstrap.servers": bootstrap})
    new = [NewTopic(letters, 3, 1), NewTopic(work, 4, 1)]
    for created in admin.create_topics(new).values():
        created.result(10)
    print("create: done")
    try:
        admin.create_topics(new[:1])[letters].result(10)
    except KafkaException as error:
        print("create again:", error.args[0].code())
    mine = []
    while len(mine) < 2:  # a broker may hear of a topic a moment after it was created
        topics = admin.list_topics(timeout=10).topics
        mine = sorted(name for name in topics if name.startswith(prefix + "-"))
    print("list:", *(f"{name.removeprefix(prefix + '-')}={len(topics[name].partitions)}" for name in mine))
    partitions = sorted(topics[letters].partitions.values(), key=lambda it: it.id)
    shown = (f"{it.id}={it.leader}/{','.join(map(str, it.replicas))}/{','.join(map(str, it.isrs))}" for it in partitions)
    print("describe:", *shown)

    for number, codec in enumerate(["none", "gzip", "snappy", "lz4", "zstd"]):
        produce_letters(bootstrap, letters, codec, time, number * 5)
    positions(bootstrap, letters, time)
    read(bootstrap, letters, time)
    group_of_two(bootstrap, work)


def produce_letters(bootstrap, topic, codec, time, first):
    producer = Producer({"bootstrap.servers": bootstrap, "compression.type": codec, "linger.ms": 100})
    offsets = []
    for number in range(5):
        key = None if number == 2 else f"k{number}"
        value = {3: "", 4: None}.get(number, f"{codec}-{number}{PADDING}")
        producer.produce(
            topic, value, key, 0, timestamp=time + (first + number) * 1000, headers={"codec": codec},
            on_delivery=lambda error, message: offsets.append(error or message.offset()),
        )
    producer.flush(10)
    print(f"produce {codec}:", *offsets)


def positions(bootstrap, topic, time):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"{topic}-asking"})
    ends = (consumer.get_watermark_offsets(TopicPartition(topic, partition), 10) for partition in range(3))
    print("ends:", *(f"{low}-{high}" for low, high in ends))

    def at(timestamp, partition=0):
        found = consumer.offsets_for_times([TopicPartition(topic, partition, timestamp)], 10)[0]
        return "none" if found.offset < 0 else found.offset

    print("at the time of 7:", at(time + 7000))
    print("a moment after 7:", at(time + 7001))
    print("after the last:", at(time + 3_500_000))
    print("at any time of none:", at(0, 1))
    consumer.close()


def read(bootstrap, topic, time):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"{topic}-asking", "check.crcs": True})
    end = consumer.get_watermark_offsets(TopicPartition(topic, 0), 10)[1]
    for name, offset in [("beginning", OFFSET_BEGINNING), ("offset 7", 7)]:
        consumer.assign([TopicPartition(topic, 0, offset)])
        shown = []
        while not shown or not shown[-1].startswith(f"{end - 1}="):
            it = take(consumer)
            header = dict(it.headers())["codec"].decode()
            shown.append(f"{it.offset()}={text(it.key())}/{text(it.value())}/{header}/{it.timestamp()[1] - time}")
        print("from the beginning:" if name == "beginning" else f"from {name}:", *shown)
    consumer.close()


def take(consumer):
    message = consumer.poll(10)
    if message is None or message.error():
        sys.exit(f"no record but {message and message.error()}")
    return message


def member(bootstrap, topic):
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": f"{topic}-group", "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    })
    consumer.subscribe([topic])
    return consumer


def read_work(members, count):
    """The offsets that came, by partition: `0=0-9` when these are ten, each once, in order."""
    offsets = defaultdict(list)
    while sum(map(len, offsets.values())) < count:
        for consumer in members:
            message = consumer.poll(0.1)
            if message is not None:
                if message.error():
                    sys.exit(str(message.error()))
                offsets[message.partition()].append(message.offset())
    for partition, found in sorted(offsets.items()):
        in_order = found == list(range(found[0], found[0] + 10))
        yield f"{partition}={found[0]}-{found[-1]}" if in_order else f"{partition}={found}"


def produce_work(bootstrap, topic):
    producer = Producer({"bootstrap.servers": bootstrap})
    for number in range(40):
        producer.produce(topic, f"work-{number}", partition=number % 4)
    producer.flush(10)


def committed(consumer, topic):
    found = consumer.committed([TopicPartition(topic, partition) for partition in range(4)], 10)
    print("committed:", *(f"{it.partition}={it.offset}/{it.metadata}" for it in found))


def group_of_two(bootstrap, topic):
    members = [member(bootstrap, topic), member(bootstrap, topic)]
    while sorted(len(it.assignment()) for it in members) != [2, 2]:
        for it in members:
            it.poll(0.1)
    print("members: 2 2")
    produce_work(bootstrap, topic)
    print("group read:", *read_work(members, 40))
    for it in members:
        ends = [TopicPartition(topic, owned.partition, 10, metadata="noted") for owned in it.assignment()]
        it.commit(offsets=ends, asynchronous=False)
    committed(members[0], topic)
    for it in members:
        it.close()


def after(bootstrap, prefix):
    topic = f"{prefix}-work"
    produce_work(bootstrap, topic)
    consumer = member(bootstrap, topic)
    committed(consumer, topic)
    print("group read:", *read_work([consumer], 40))
    consumer.close()


if len(sys.argv) > 1:
    {"before": before, "after": after}[sys.argv[1]](*sys.argv[2:])
