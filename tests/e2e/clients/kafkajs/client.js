// kafkajs as a test drives it:
//   produce <address> <topic> <codec> <acks>      records on stdin (format: ../java/JavaClient.java)
//   consume <address> <topic>:<count> ...         "<topic> <record>" lines on stdout
//   admin   <address> <topic>
const { Kafka, CompressionTypes, CompressionCodecs, logLevel } = require('kafkajs')
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')

const bytes = text => (text === '-' ? null : Buffer.from(text, 'base64'))
const text = b => (b === null || b === undefined ? '-' : Buffer.from(b).toString('base64'))
const [command, address, ...rest] = process.argv.slice(2)
const kafka = new Kafka({ clientId: 'e2e', brokers: [address], logLevel: logLevel.ERROR })

function parse(line) {
  const [timestamp, key, value, headers] = line.split('\t')
  const message = { partition: 0, key: bytes(key), value: bytes(value), headers: {} }
  if (timestamp !== '-') message.timestamp = timestamp
  for (const pair of headers ? headers.split(',') : []) {
    const [name, content] = pair.split(':')
    message.headers[bytes(name).toString()] = bytes(content)
  }
  return message
}

async function produce(topic, codec, acks) {
  const input = require('fs').readFileSync(0, 'utf8')
  const messages = input.split('\n').filter(Boolean).map(parse)
  const compression = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy }[codec]
  const producer = kafka.producer({ idempotent: acks === 'idempotent', allowAutoTopicCreation: false })
  await producer.connect()
  await producer.send({ topic, messages, compression, acks: acks === 'idempotent' ? -1 : Number(acks) })
  await producer.disconnect()
  console.log(`sent ${messages.length}`)
}

// kafkajs offers consumers only in groups. Its fetch request and record decoder are the same without one,
// and are reached here through the cluster object that its consumers use.
async function consume(wanted) {
  const create = Object.getOwnPropertySymbols(kafka).find(s => String(s).includes('createCluster'))
  const cluster = kafka[create]({ metadataMaxAge: 300000 })
  await cluster.connect()
  for (const each of wanted) {
    const topic = each.slice(0, each.lastIndexOf(':'))
    const count = Number(each.slice(each.lastIndexOf(':') + 1))
    await cluster.addTargetTopic(topic)
    await cluster.refreshMetadata()
    const [{ leader }] = cluster.findTopicPartitionMetadata(topic)
    const broker = await cluster.findBroker({ nodeId: String(leader) })
    let next = 0n
    for (let seen = 0; seen < count;) {
      const { responses } = await broker.fetch({
        maxWaitTime: 500, minBytes: 1, maxBytes: 10485760, isolationLevel: 1,
        topics: [{ topic, partitions: [{ partition: 0, fetchOffset: String(next), maxBytes: 1048576 }] }],
      })
      for (const m of responses[0].partitions[0].messages) {
        if (BigInt(m.offset) < next) continue
        next = BigInt(m.offset) + 1n
        seen++
        const headers = Object.entries(m.headers || {}).map(([k, v]) => `${text(k)}:${text(v)}`)
        console.log([topic, m.timestamp, text(m.key), text(m.value), headers.join(',')].join('\t'))
      }
    }
  }
  await cluster.disconnect()
}

async function admin(topic) {
  const admin = kafka.admin()
  await admin.connect()
  const show = async (what, promise) =>
    console.log(`${what}\t${await promise.then(JSON.stringify, e => `${e.name}: ${e.type || e.message}`)}`)
  await show('create', admin.createTopics({ topics: [{ topic, numPartitions: 2 }] }))
  await show('create again', admin.createTopics({ topics: [{ topic }] }))
  await show('listed', admin.listTopics().then(all => all.includes(topic)))
  await show('metadata', admin.fetchTopicMetadata({ topics: [topic] }).then(m => m.topics[0].partitions.map(p => [p.leader, p.isr.length])))
  await show('offsets', admin.fetchTopicOffsets(topic).then(all => all.map(o => [o.low, o.high])))
  await show('grow', admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] }))
  await show('config', admin.describeConfigs({ includeSynonyms: false, resources: [{ type: 2, name: topic, configNames: ['segment.bytes'] }] })
    .then(r => r.resources[0].configEntries.map(c => [c.configName, c.configValue])))
  await show('cluster', admin.describeCluster().then(c => [c.brokers.length, c.controller]))
  await show('delete', admin.deleteTopics({ topics: [topic] }))
  await admin.disconnect()
}

const run = { produce: () => produce(...rest), consume: () => consume(rest), admin: () => admin(...rest) }[command]
run().catch(e => {
  console.error(e)
  process.exit(1)
})
