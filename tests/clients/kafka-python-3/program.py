"""kafka-python, versions 2 and 3: the same program, two libraries apart in age by six years."""

import queue
import sys
import threading
from collections import defaultdict

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError
from kafka.structs import OffsetAndMetadata

PADDING = b"." * 200  # makes a batch worth compressing


def text(data):
    return "~" if data is None else data.removesuffix(PADDING).decode()


def either(described, *names):
    """What version 2 names as its own, version 3 as the protocol does."""
    return next(described[name] for name in names if name in described)


def before(bootstrap, prefix, time):
    letters, work, time = f"{prefix}-letters", f"{prefix}-work", int(time)
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic(letters, 3, 1), NewTopic(work, 4, 1)])
    print("create: done")
    try:
        admin.create_topics([NewTopic(letters, 3, 1)])
    except TopicAlreadyExistsError as error:
        print("create again:", error.errno)
    mine = []
    while len(mine) < 2:  # a broker may hear of a topic a moment after it was created
        mine = sorted(name for name in admin.list_topics() if name.startswith(prefix + "-"))
    topics = {either(it, "topic", "name"): it["partitions"] for it in admin.describe_topics(mine)}
    print("list:", *(f"{name.removeprefix(prefix + '-')}={len(topics[name])}" for name in mine))
    partitions = sorted(topics[letters], key=lambda it: either(it, "partition", "partition_index"))
    print("describe:", *(
        f"{either(it, 'partition', 'partition_index')}={either(it, 'leader', 'leader_id')}"
        f"/{','.join(map(str, either(it, 'replicas', 'replica_nodes')))}"
        f"/{','.join(map(str, either(it, 'isr', 'isr_nodes')))}"
        for it in partitions
    ))
    admin.close()

    for number, codec in enumerate(["none", "gzip", "snappy", "lz4", "zstd"]):
        produce_letters(bootstrap, letters, codec, time + number * 5000)
    positions(bootstrap, letters, time)
    read(bootstrap, letters, time)
    group_of_two(bootstrap, work)


def produce_letters(bootstrap, topic, codec, time):
    compression = None if codec == "none" else codec
    producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type=compression, linger_ms=100)
    sent = []
    for number in range(5):
        key = None if number == 2 else b"k%d" % number
        value = {3: b"", 4: None}.get(number, f"{codec}-{number}".encode() + PADDING)
        headers = [("codec", codec.encode())]
        sent.append(producer.send(topic, value, key, headers, 0, time + number * 1000))
    producer.flush(10)
    print(f"produce {codec}:", *(it.get(10).offset for it in sent))
    producer.close()


def positions(bootstrap, topic, time):
    consumer = KafkaConsumer(bootstrap_servers=bootstrap)
    partitions = [TopicPartition(topic, number) for number in range(3)]
    starts, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
    print("ends:", *(f"{starts[it]}-{ends[it]}" for it in partitions))

    def at(timestamp, partition=partitions[0]):
        found = consumer.offsets_for_times({partition: timestamp})[partition]
        return "none" if found is None else found.offset

    print("at the time of 7:", at(time + 7000))
    print("a moment after 7:", at(time + 7001))
    print("after the last:", at(time + 3_500_000))
    print("at any time of none:", at(0, partitions[1]))
    consumer.close()


def read(bootstrap, topic, time):
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, check_crcs=True)
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    end = consumer.end_offsets([partition])[partition]
    for name, offset in [("beginning", 0), ("offset 7", 7)]:
        consumer.seek(partition, offset)
        shown = []
        while consumer.position(partition) < end:
            for it in consumer.poll(10_000).get(partition, []):
                header = dict(it.headers)["codec"].decode()
                shown.append(f"{it.offset}={text(it.key)}/{text(it.value)}/{header}/{it.timestamp - time}")
        print("from the beginning:" if name == "beginning" else f"from {name}:", *shown)
    consumer.close()


class Member(threading.Thread):
    """Polls until told to stop: a poll of version 2 ends only when the other members have joined too."""

    def __init__(self, bootstrap, topic, events):
        super().__init__(daemon=True)
        self.consumer = KafkaConsumer(
            topic, bootstrap_servers=bootstrap, group_id=f"{topic}-group", auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        self.owned, self.events, self.over = set(), events, False

    def run(self):
        while not self.over:
            records = self.consumer.poll(1000)
            self.owned = self.consumer.assignment()
            self.events.put(records)

    def stop(self):
        self.over = True
        self.join()


def read_work(events, count):
    """The offsets that came, by partition: `0=0-9` when these are ten, each once, in order."""
    offsets = defaultdict(list)
    while sum(map(len, offsets.values())) < count:
        for partition, records in events.get(timeout=30).items():
            offsets[partition.partition] += [it.offset for it in records]
    for partition, found in sorted(offsets.items()):
        in_order = found == list(range(found[0], found[0] + 10))
        yield f"{partition}={found[0]}-{found[-1]}" if in_order else f"{partition}={found}"


def produce_work(bootstrap, topic):
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    for number in range(40):
        producer.send(topic, b"work-%d" % number, partition=number % 4)
    producer.flush(10)
    producer.close()


def committed(consumer, topic):
    found = [consumer.committed(TopicPartition(topic, partition), metadata=True) for partition in range(4)]
    print("committed:", *(f"{partition}={it.offset}/{it.metadata}" for partition, it in enumerate(found)))


def group_of_two(bootstrap, topic):
    events = queue.Queue()
    members = [Member(bootstrap, topic, events), Member(bootstrap, topic, events)]
    for it in members:
        it.start()
    while [len(it.owned) for it in members] != [2, 2]:
        events.get(timeout=30)
    print("members: 2 2")
    produce_work(bootstrap, topic)
    print("group read:", *read_work(events, 40))
    for it in members:
        it.stop()
        it.consumer.commit({partition: OffsetAndMetadata(10, "noted") for partition in it.owned})
    committed(members[0].consumer, topic)
    for it in members:
        it.consumer.close()


def after(bootstrap, prefix):
    topic = f"{prefix}-work"
    produce_work(bootstrap, topic)
    events = queue.Queue()
    member = Member(bootstrap, topic, events)
    committed(member.consumer, topic)
    member.start()
    print("group read:", *read_work(events, 40))
    member.stop()
    member.consumer.close()


if len(sys.argv) > 1:
    {"before": before, "after": after}[sys.argv[1]](*sys.argv[2:])
