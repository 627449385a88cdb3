// kafkajs: the JavaScript client with codecs in JavaScript.

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1'
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = require('kafkajs')
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')

const PADDING = '.'.repeat(200) // makes a batch worth compressing
const [, , half, bootstrap, prefix, time] = process.argv
const letters = `${prefix}-letters`
const work = `${prefix}-work`
const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING })
const admin = kafka.admin()

function say (name, facts) {
  console.log([`${name}:`, ...facts].join(' '))
}

function text (data) {
  if (data === null) return '~'
  const string = data.toString()
  return string.endsWith(PADDING) ? string.slice(0, -PADDING.length) : string
}

// Resolves when `holds` does, looked at whenever something happened.
function happening () {
  const waiting = []
  return {
    happened: () => waiting.forEach(look => look()),
    until: holds => new Promise(resolve => waiting.push(() => holds() && resolve()))
  }
}

async function topics () {
  const created = { topic: letters, numPartitions: 3, replicationFactor: 1 }
  const topics = [created, { topic: work, numPartitions: 4, replicationFactor: 1 }]
  await admin.createTopics({ topics, waitForLeaders: false })
  say('create', ['done'])
  // It keeps error 36 to itself and answers false.
  say('create again', [await admin.createTopics({ topics: [created] }) ? 'done' : 36])
  let mine = []
  while (mine.length < 2) { // a broker may hear of a topic a moment after it was created
    mine = (await admin.listTopics()).filter(name => name.startsWith(`${prefix}-`)).sort()
  }
  const metadata = await admin.fetchTopicMetadata({ topics: mine })
  const found = Object.fromEntries(metadata.topics.map(it => [it.name, it.partitions]))
  say('list', mine.map(name => `${name.slice(prefix.length + 1)}=${found[name].length}`))
  const inOrder = found[letters].sort((one, other) => one.partitionId - other.partitionId)
  say('describe', inOrder.map(it => `${it.partitionId}=${it.leader}/${it.replicas}/${it.isr}`))
}

async function produceLetters (codec, compression, first) {
  const producer = kafka.producer()
  await producer.connect()
  const messages = [0, 1, 2, 3, 4].map(number => ({
    partition: 0,
    key: number === 2 ? null : `k${number}`,
    value: number === 3 ? '' : number === 4 ? null : `${codec}-${number}${PADDING}`,
    headers: { codec },
    timestamp: String(Number(time) + (first + number) * 1000)
  }))
  const [{ baseOffset }] = await producer.send({ topic: letters, messages, compression })
  say(`produce ${codec}`, messages.map((_, number) => Number(baseOffset) + number))
  await producer.disconnect()
}

async function positions () {
  const ends = await admin.fetchTopicOffsets(letters)
  ends.sort((one, other) => one.partition - other.partition)
  say('ends', ends.map(it => `${it.low}-${it.high}`))
  const at = async milliseconds => {
    const found = await admin.fetchTopicOffsetsByTimestamp(letters, milliseconds)
    return [found.find(it => it.partition === 0).offset]
  }
  say('at the time of 7', await at(Number(time) + 7000))
  say('a moment after 7', await at(Number(time) + 7001))
}

async function read (end) {
  const consumer = kafka.consumer({ groupId: `${letters}-asking` })
  const { happened, until } = happening()
  let shown = []
  await consumer.connect()
  await consumer.subscribe({ topic: letters, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ message: it }) => {
      const since = Number(it.timestamp) - Number(time)
      shown.push(`${it.offset}=${text(it.key)}/${text(it.value)}/${it.headers.codec}/${since}`)
      happened()
    }
  })
  const isWhole = () => shown.at(-1)?.startsWith(`${end - 1}=`)
  await until(isWhole)
  say('from the beginning', shown)
  shown = []
  consumer.seek({ topic: letters, partition: 0, offset: '7' })
  await until(isWhole)
  say('from offset 7', shown)
  await consumer.disconnect()
}

// Joins and notes what it owns and what it reads.
async function member (offsets, happened) {
  const consumer = kafka.consumer({ groupId: `${work}-group` })
  const it = { consumer, owned: [] }
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    it.owned = payload.memberAssignment[work] ?? []
    happened()
  })
  await consumer.connect()
  await consumer.subscribe({ topic: work, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => {
      (offsets[partition] ??= []).push(Number(message.offset))
      happened()
    }
  })
  return it
}

// `0=0-9` when these are ten, each once, in order.
function sayRead (offsets) {
  say('group read', Object.entries(offsets).map(([partition, found]) => {
    const inOrder = found.length === 10 && found.every((offset, at) => offset === found[0] + at)
    return `${partition}=${inOrder ? `${found[0]}-${found[9]}` : `[${found}]`}`
  }))
}

async function produceWork () {
  const producer = kafka.producer()
  await producer.connect()
  const messages = Array.from({ length: 40 }, (_, number) => ({ partition: number % 4, value: `work-${number}` }))
  await producer.send({ topic: work, messages })
  await producer.disconnect()
}

async function sayCommitted () {
  const [{ partitions }] = await admin.fetchOffsets({ groupId: `${work}-group`, topics: [work] })
  partitions.sort((one, other) => one.partition - other.partition)
  say('committed', partitions.map(it => `${it.partition}=${it.offset}/${it.metadata}`))
}

const count = offsets => Object.values(offsets).flat().length

async function groupOfTwo () {
  const offsets = {}
  const { happened, until } = happening()
  const members = await Promise.all([member(offsets, happened), member(offsets, happened)])
  const isShared = () => members.every(it => it.owned.length === 2)
  if (!isShared()) await until(isShared)
  say('members', [2, 2])
  const all = until(() => count(offsets) >= 40)
  await produceWork()
  await all
  sayRead(offsets)
  for (const it of members) {
    const commits = it.owned.map(partition => ({ topic: work, partition, offset: '10', metadata: 'noted' }))
    await it.consumer.commitOffsets(commits)
  }
  await sayCommitted()
  await Promise.all(members.map(it => it.consumer.disconnect()))
}

async function before () {
  await topics()
  await produceLetters('none', CompressionTypes.None, 0)
  await produceLetters('gzip', CompressionTypes.GZIP, 5)
  await produceLetters('snappy', CompressionTypes.Snappy, 10)
  await positions()
  await read(15)
  await groupOfTwo()
}

async function after () {
  await produceWork()
  await sayCommitted()
  const offsets = {}
  const { happened, until } = happening()
  const all = until(() => count(offsets) >= 40)
  const { consumer } = await member(offsets, happened)
  await all
  sayRead(offsets)
  await consumer.disconnect()
}

admin.connect()
  .then(half === 'after' ? after : before)
  .then(() => process.exit(0))
  .catch(error => { console.error(error); process.exit(1) })
