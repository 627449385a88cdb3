"""aiokafka: kafka-python's protocol of old under asyncio."""

import asyncio
import sys
from collections import defaultdict

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import OffsetAndMetadata

PADDING = b"." * 200  # makes a batch worth compressing


def text(data):
    return "~" if data is None else data.removesuffix(PADDING).decode()


async def before(bootstrap, prefix, time):
    letters, work, time = f"{prefix}-letters", f"{prefix}-work", int(time)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    created = await admin.create_topics([NewTopic(letters, 3, 1), NewTopic(work, 4, 1)])
    print("create:", "done" if all(error[1] == 0 for error in created.topic_errors) else created)
    print("create again:", (await admin.create_topics([NewTopic(letters, 3, 1)])).topic_errors[0][1])
    mine = []
    while len(mine) < 2:  # a broker may hear of a topic a moment after it was created
        mine = sorted(name for name in await admin.list_topics() if name.startswith(prefix + "-"))
    topics = {it["topic"]: it["partitions"] for it in await admin.describe_topics(mine)}
    print("list:", *(f"{name.removeprefix(prefix + '-')}={len(topics[name])}" for name in mine))
    partitions = sorted(topics[letters], key=lambda it: it["partition"])
    print("describe:", *(
        f"{it['partition']}={it['leader']}/{','.join(map(str, it['replicas']))}/{','.join(map(str, it['isr']))}"
        for it in partitions
    ))
    await admin.close()

    for number, codec in enumerate(["none", "gzip", "snappy", "lz4", "zstd"]):
        await produce_letters(bootstrap, letters, codec, time + number * 5000)
    await positions(bootstrap, letters, time)
    await read(bootstrap, letters, time)
    await group_of_two(bootstrap, work)


async def produce_letters(bootstrap, topic, codec, time):
    compression = None if codec == "none" else codec
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, compression_type=compression, linger_ms=100) as producer:
        sent = []
        for number in range(5):
            key = None if number == 2 else b"k%d" % number
            value = {3: b"", 4: None}.get(number, f"{codec}-{number}".encode() + PADDING)
            headers = [("codec", codec.encode())]
            sent.append(await producer.send(topic, value, key, 0, time + number * 1000, headers))
        print(f"produce {codec}:", *[(await it).offset for it in sent])


async def positions(bootstrap, topic, time):
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
        partitions = [TopicPartition(topic, number) for number in range(3)]
        starts, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        print("ends:", *(f"{starts[it]}-{ends[it]}" for it in partitions))

        async def at(timestamp, partition=partitions[0]):
            found = (await consumer.offsets_for_times({partition: timestamp}))[partition]
            return "none" if found is None else found.offset

        print("at the time of 7:", await at(time + 7000))
        print("a moment after 7:", await at(time + 7001))
        print("after the last:", await at(time + 3_500_000))
        print("at any time of none:", await at(0, partitions[1]))


async def read(bootstrap, topic, time):
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, check_crcs=True) as consumer:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        for name, offset in [("beginning", 0), ("offset 7", 7)]:
            consumer.seek(partition, offset)
            shown = []
            while await consumer.position(partition) < end:
                for it in (await consumer.getmany(timeout_ms=10_000)).get(partition, []):
                    header = dict(it.headers)["codec"].decode()
                    shown.append(f"{it.offset}={text(it.key)}/{text(it.value)}/{header}/{it.timestamp - time}")
            print("from the beginning:" if name == "beginning" else f"from {name}:", *shown)


async def join(bootstrap, topic):
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=f"{topic}-group", auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    return consumer


async def read_work(members, count):
    """The offsets that came, by partition: `0=0-9` when these are ten, each once, in order."""
    offsets = defaultdict(list)
    while sum(map(len, offsets.values())) < count:
        for consumer in members:
            for partition, records in (await consumer.getmany(timeout_ms=100)).items():
                offsets[partition.partition] += [it.offset for it in records]
    shown = []
    for partition, found in sorted(offsets.items()):
        in_order = found == list(range(found[0], found[0] + 10))
        shown.append(f"{partition}={found[0]}-{found[-1]}" if in_order else f"{partition}={found}")
    print("group read:", *shown)


async def produce_work(bootstrap, topic):
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for number in range(40):
            await producer.send_and_wait(topic, b"work-%d" % number, partition=number % 4)


async def committed(bootstrap, topic):
    """It has metadata with a commit, but shows it to administrators only."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    found = await admin.list_consumer_group_offsets(f"{topic}-group")
    print("committed:", *(f"{it.partition}={found[it].offset}/{found[it].metadata}" for it in sorted(found)))
    await admin.close()


async def group_of_two(bootstrap, topic):
    members = await asyncio.gather(join(bootstrap, topic), join(bootstrap, topic))
    while [len(it.assignment()) for it in members] != [2, 2]:
        for it in members:
            await it.getmany(timeout_ms=100)
    print("members: 2 2")
    await produce_work(bootstrap, topic)
    await read_work(members, 40)
    for it in members:
        await it.commit({partition: OffsetAndMetadata(10, "noted") for partition in it.assignment()})
    await committed(bootstrap, topic)
    for it in members:
        await it.stop()


async def after(bootstrap, prefix):
    topic = f"{prefix}-work"
    await produce_work(bootstrap, topic)
    await committed(bootstrap, topic)
    consumer = await join(bootstrap, topic)
    await read_work([consumer], 40)
    await consumer.stop()


if len(sys.argv) > 1:
    asyncio.run({"before": before, "after": after}[sys.argv[1]](*sys.argv[2:]))
