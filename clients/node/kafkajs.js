// The suite of KafkaJS: ADDRESS FOLDER, which has node_modules.
'use strict'

const { createRequire } = require('node:module')
const { CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = createRequire(process.argv[3] + '/')('kafkajs')

const kafka = new Kafka({ clientId: 'suite', brokers: [process.argv[2]], logLevel: logLevel.NOTHING })
const admin = kafka.admin()
const run = Date.now().toString(36)
const topic = `kafkajs-${run}`
const COUNT = 200
let written = 0

function equal(what, expected, actual) {
  if (JSON.stringify(expected) !== JSON.stringify(actual)) {
    throw new Error(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`)
  }
}

async function eventually(what, holds) {
  for (const deadline = Date.now() + 25000; !(await holds()); ) {
    if (Date.now() > deadline) throw new Error(`not within 25 s: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

async function topics() {
  const configEntries = [{ name: 'retention.ms', value: '7200000' }]
  equal('created', true, await admin.createTopics({ topics: [{ topic, numPartitions: 3, configEntries }] }))
  equal('created again', false, await admin.createTopics({ topics: [{ topic }] }))
  await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] })
  const partitions = async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length
  await eventually('it has four partitions', async () => (await partitions()) === 4)
  equal('listed', true, (await admin.listTopics()).includes(topic))
  equal('brokers', 1, (await admin.describeCluster()).brokers.length)
}

// KafkaJS knows only the AlterConfigs that takes away what it does not name.
async function configs() {
  const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
  const configEntries = [{ name: 'max.message.bytes', value: '2000000' }]
  await admin.alterConfigs({ resources: [{ ...resource, configEntries }] })
  const read = async name => {
    const { resources } = await admin.describeConfigs({ resources: [{ ...resource, configNames: [name] }] })
    return resources[0].configEntries[0].configValue
  }
  await eventually('it is set', async () => (await read('max.message.bytes')) === '2000000')
  equal('the other', '604800000', await read('retention.ms'))
}

async function write(settings, more) {
  const producer = kafka.producer(settings)
  await producer.connect()
  const messages = Array.from({ length: COUNT }, (_, i) => ({ key: `k${i}`, value: `v${i}`, headers: { a: 'b' } }))
  await producer.send({ topic, messages, ...more })
  await producer.disconnect()
  written += COUNT
}

async function join(groupId, received) {
  const consumer = kafka.consumer({ groupId, heartbeatInterval: 200, maxWaitTimeInMs: 100 })
  const member = { consumer, partitions: 0 }
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    member.partitions = (payload.memberAssignment[topic] ?? []).length
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ message }) => {
      equal('headers', 'b', message.headers.a.toString())
      received.push(message.value.toString())
    },
  })
  return member
}

async function group() {
  const received = []
  const first = await join(`group-${run}`, received)
  await eventually('all is read', () => received.length === written)
  const second = await join(`group-${run}`, received)
  await eventually('they share', () => first.partitions === 2 && second.partitions === 2)
  const described = (await admin.describeGroups([`group-${run}`])).groups[0]
  equal('members', ['Stable', 2], [described.state, described.members.length])
  await second.consumer.disconnect()
  await eventually('one has all', () => first.partitions === 4)
  await first.consumer.disconnect()
  equal('nothing is read twice', written, received.length)
}

async function offsets() {
  const groupId = `group-${run}`
  const ends = (await admin.fetchTopicOffsets(topic)).reduce((sum, { offset }) => sum + Number(offset), 0)
  equal('ends', written, ends)
  const committed = async () => {
    const [{ partitions }] = await admin.fetchOffsets({ groupId, topics: [topic] })
    return partitions.reduce((sum, { offset }) => sum + Number(offset), 0)
  }
  equal('committed', written, await committed())
  await admin.setOffsets({ groupId, topic, partitions: [0, 1, 2, 3].map(partition => ({ partition, offset: '1' })) })
  equal('set', 4, await committed())
  equal('listed', true, (await admin.listGroups()).groups.some(it => it.groupId === groupId))
  equal('deleted', 0, (await admin.deleteGroups([groupId]))[0].errorCode)
}

async function deletions() {
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '3' }] })
  const lows = (await admin.fetchTopicOffsets(topic)).filter(it => it.partition === 0).map(it => it.low)
  equal('the start', ['3'], lows)
  await admin.deleteTopics({ topics: [topic] })
  await eventually('it is gone', async () => !(await admin.listTopics()).includes(topic))
}

const tests = [
  ['topics are created, described and grown', topics],
  ['settings are replaced and described', configs],
  ['records, uncompressed', () => write({}, {})],
  ['records by gzip, acks=1', () => write({}, { compression: CompressionTypes.GZIP, acks: 1 })],
  ['an idempotent producer', () => write({ idempotent: true, maxInFlightRequests: 1 }, {})],
  ['members join and leave', group],
  ['offsets are fetched and set, groups listed and deleted', offsets],
  ['no partition moves', async () => equal('moved', [], (await admin.listPartitionReassignments({})).topics)],
  ['records and topics are deleted', deletions],
]

async function main() {
  await admin.connect()
  for (const [name, body] of tests) {
    const started = Date.now()
    let outcome = `ok ${name}`
    try {
      await body()
    } catch (failure) {
      outcome = `FAIL ${name}: ${String(failure).replaceAll('\n', ' ')}`
    }
    console.log(`${outcome} (${Date.now() - started} ms)`)
  }
  console.log('done')
  await admin.disconnect()
  process.exit(0)
}

main()
