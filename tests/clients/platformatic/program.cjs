// @platformatic/kafka: the JavaScript client that wants recent versions of everything.

const { pathToFileURL } = require('node:url')

const PADDING = '.'.repeat(200) // makes a batch worth compressing
const [, , half, bootstrap, prefix, time] = process.argv
const letters = `${prefix}-letters`
const work = `${prefix}-work`
const connection = { clientId: prefix, bootstrapBrokers: [bootstrap] }

function say (name, facts) {
  console.log([`${name}:`, ...facts].join(' '))
}

function text (data) {
  if (data == null) return '~'
  const string = data.toString()
  return string.endsWith(PADDING) ? string.slice(0, -PADDING.length) : string
}

async function topics (admin) {
  await admin.createTopics({ topics: [letters], partitions: 3, replicas: 1 })
  await admin.createTopics({ topics: [work], partitions: 4, replicas: 1 })
  say('create', ['done'])
  try {
    await admin.createTopics({ topics: [letters], partitions: 3, replicas: 1 })
  } catch (error) {
    say('create again', [error.findBy('apiId', 'TOPIC_ALREADY_EXISTS')?.apiCode])
  }
  let mine = []
  while (mine.length < 2) { // a broker may hear of a topic a moment after it was created
    mine = (await admin.listTopics()).filter(name => name.startsWith(`${prefix}-`)).sort()
  }
  const { topics } = await admin.metadata({ topics: mine, forceUpdate: true })
  say('list', mine.map(name => `${name.slice(prefix.length + 1)}=${topics.get(name).partitionsCount}`))
  const partitions = topics.get(letters).partitions
  say('describe', partitions.map((it, number) => `${number}=${it.leader}/${it.replicas}/${it.isr}`))
}

async function produceLetters (kafka, codec, first) {
  const producer = new kafka.Producer(connection)
  const messages = [0, 1, 2, 3, 4].map(number => ({
    topic: letters,
    partition: 0,
    key: number === 2 ? undefined : Buffer.from(`k${number}`),
    value: number === 3 ? Buffer.alloc(0) : number === 4 ? null : Buffer.from(`${codec}-${number}${PADDING}`),
    headers: new Map([[Buffer.from('codec'), Buffer.from(codec)]]),
    timestamp: BigInt(time) + BigInt((first + number) * 1000)
  }))
  const { offsets } = await producer.send({ messages, compression: codec, acks: kafka.ProduceAcks.ALL })
  say(`produce ${codec}`, messages.map((_, number) => Number(offsets[0].offset) + number))
  await producer.close()
}

async function positions (consumer) {
  const ask = async timestamp => (await consumer.listOffsets({ topics: [letters], timestamp })).get(letters)
  const [starts, ends] = [await ask(-2n), await ask(-1n)]
  say('ends', starts.map((start, number) => `${start}-${ends[number]}`))
  const at = async (milliseconds, partition = 0) => {
    const offset = (await ask(BigInt(milliseconds)))[partition]
    return [offset < 0 ? 'none' : offset]
  }
  say('at the time of 7', await at(Number(time) + 7000))
  say('a moment after 7', await at(Number(time) + 7001))
  say('after the last', await at(Number(time) + 3_500_000))
  say('at any time of none', await at(0, 1))
}

async function read (kafka, what, from, end) {
  const consumer = new kafka.Consumer({ ...connection, groupId: `${letters}-asking`, autocommit: false })
  const offsets = [0, 1, 2].map(partition => ({ topic: letters, partition, offset: partition === 0 ? from : 0n }))
  const stream = await consumer.consume({ topics: [letters], mode: 'manual', offsets })
  const shown = []
  for await (const it of stream) {
    const header = it.headers.get([...it.headers.keys()][0])
    shown.push(`${it.offset}=${text(it.key)}/${text(it.value)}/${header}/${it.timestamp - BigInt(time)}`)
    if (it.offset === end - 1n) break
  }
  say(what, shown)
  await consumer.close(true)
}

// Joins and notes what it reads, until it is left.
async function member (kafka, offsets) {
  const consumer = new kafka.Consumer({ ...connection, groupId: `${work}-group`, autocommit: false })
  const stream = await consumer.consume({ topics: [work], mode: 'committed', fallbackMode: 'earliest' })
  stream.on('data', it => {
    (offsets[it.partition] ??= []).push(Number(it.offset))
    offsets.happened()
  })
  consumer.on('consumer:group:join', offsets.happened)
  return consumer
}

// What came, by partition; `until` resolves when something happened and `holds` does.
function gathered () {
  const waiting = []
  const offsets = {}
  const hidden = (name, value) => Object.defineProperty(offsets, name, { value, enumerable: false })
  hidden('happened', () => waiting.forEach(look => look()))
  hidden('until', holds => new Promise(resolve => {
    const look = () => holds() && resolve()
    waiting.push(look)
    look()
  }))
  return offsets
}

const count = offsets => Object.values(offsets).flat().length

// `0=0-9` when these are ten, each once, in order.
function sayRead (offsets) {
  say('group read', Object.entries(offsets).map(([partition, found]) => {
    const inOrder = found.length === 10 && found.every((offset, at) => offset === found[0] + at)
    return `${partition}=${inOrder ? `${found[0]}-${found[9]}` : `[${found}]`}`
  }))
}

async function produceWork (kafka) {
  const producer = new kafka.Producer(connection)
  const messages = Array.from({ length: 40 }, (_, number) => (
    { topic: work, partition: number % 4, value: Buffer.from(`work-${number}`) }
  ))
  await producer.send({ messages, acks: kafka.ProduceAcks.ALL })
  await producer.close()
}

async function sayCommitted (admin) {
  const [{ topics: [{ partitions }] }] = await admin.listConsumerGroupOffsets({ groups: [`${work}-group`] })
  partitions.sort((one, other) => one.partitionIndex - other.partitionIndex)
  say('committed', partitions.map(it => `${it.partitionIndex}=${it.committedOffset}/${it.metadata}`))
}

async function groupOfTwo (kafka, admin) {
  const offsets = gathered()
  const members = await Promise.all([member(kafka, offsets), member(kafka, offsets)])
  const owned = it => it.assignments?.find(({ topic }) => topic === work)?.partitions ?? []
  await offsets.until(() => members.every(it => owned(it).length === 2))
  say('members', [2, 2])
  await produceWork(kafka)
  await offsets.until(() => count(offsets) >= 40)
  sayRead(offsets)
  for (const it of members) {
    const ends = owned(it).map(partition => ({ topic: work, partition, offset: 10n, leaderEpoch: -1 }))
    await it.commit({ offsets: ends })
  }
  await sayCommitted(admin)
  for (const it of members) await it.close(true)
}

async function before (kafka, admin) {
  await topics(admin)
  const codecs = ['none', 'gzip', 'snappy', 'lz4']
  for (const [number, codec] of codecs.entries()) await produceLetters(kafka, codec, number * 5)
  const asking = new kafka.Consumer({ ...connection, groupId: `${letters}-asking` })
  await positions(asking)
  await asking.close()
  await read(kafka, 'from the beginning', 0n, 20n)
  await read(kafka, 'from offset 7', 7n, 20n)
  await groupOfTwo(kafka, admin)
}

async function after (kafka, admin) {
  await produceWork(kafka)
  await sayCommitted(admin)
  const offsets = gathered()
  const reader = await member(kafka, offsets)
  await offsets.until(() => count(offsets) >= 40)
  sayRead(offsets)
  await reader.close(true)
}

async function main () {
  // It is an ES module, which node does not look for in NODE_PATH.
  const kafka = await import(pathToFileURL(`${process.env.NODE_PATH}/@platformatic/kafka/dist/index.js`))
  await (half === 'after' ? after : before)(kafka, new kafka.Admin(connection))
}

main().then(() => process.exit(0)).catch(error => { console.error(error); process.exit(1) })
