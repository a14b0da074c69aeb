// kafkajs as a test drives it: host.js <address>, commands on stdin and events on stdout (../../harness/hosts.py).
const { Kafka, AssignerProtocol, PartitionAssigners, logLevel } = require('kafkajs')
const kafka = new Kafka({ clientId: 'e2e', brokers: [process.argv[2]], logLevel: logLevel.NOTHING, retry: { retries: 30, initialRetryTime: 100, maxRetryTime: 1000 } })

const tell = (member, event, more) => console.log(JSON.stringify({ at: Date.now() / 1000, member, event, ...more }))

// kafkajs has one strategy, under a name of its own. This is the one that other libraries call "range".
const range = ({ cluster }) => ({
  name: 'range',
  version: 0,
  async assign({ members, topics }) {
    const assignment = {}
    const subscribed = members.map(m => ({ id: m.memberId, topics: AssignerProtocol.MemberMetadata.decode(m.memberMetadata).topics }))
    for (const { id } of subscribed) assignment[id] = {}
    await Promise.all(topics.map(t => cluster.addTargetTopic(t)))
    for (const topic of topics) {
      const ids = subscribed.filter(m => m.topics.includes(topic)).map(m => m.id).sort()
      const numbers = cluster.findTopicPartitionMetadata(topic).map(p => p.partitionId).sort((a, b) => a - b)
      const each = Math.floor(numbers.length / ids.length), more = numbers.length % ids.length
      ids.forEach((id, i) => {
        const mine = numbers.splice(0, each + (i < more ? 1 : 0))
        if (mine.length) assignment[id][topic] = mine
      })
    }
    return Object.keys(assignment).map(id => ({
      memberId: id, memberAssignment: AssignerProtocol.MemberAssignment.encode({ version: 0, assignment: assignment[id] }),
    }))
  },
  protocol({ topics }) {
    return { name: 'range', metadata: AssignerProtocol.MemberMetadata.encode({ version: 0, topics }) }
  },
})

async function join(name, options) {
  const consumer = kafka.consumer({
    groupId: options.group, sessionTimeout: Number(options.session), heartbeatInterval: 500, maxWaitTimeInMs: 100,
    metadataMaxAge: 5000, allowAutoTopicCreation: false, partitionAssigners: [options.strategy === 'range' ? range : PartitionAssigners.roundRobin],
  })
  members[name] = consumer
  let owned = []
  const revoked = () => {
    if (owned.length) tell(name, 'revoked', { partitions: owned })
    owned = []
  }
  consumer.on(consumer.events.REBALANCING, revoked)
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    revoked()
    owned = Object.entries(payload.memberAssignment).flatMap(([topic, numbers]) => numbers.map(n => [topic, n]))
    tell(name, 'assigned', { partitions: owned, id: payload.memberId, generation: null })
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => tell(name, payload.restart ? 'refused' : 'died', { what: 'run', error: String(payload.error) }))
  await consumer.connect()
  await consumer.subscribe({ topics: options.topics.split(','), fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, resolveOffset }) => {
      const { topic, partition, messages } = batch
      if (!messages.length) return
      tell(name, 'read', { records: messages.map(m => [topic, partition, Number(m.offset), m.value.toString()]) })
      const last = messages[messages.length - 1].offset
      resolveOffset(last)
      const offset = String(BigInt(last) + 1n)
      try {
        await consumer.commitOffsets([{ topic, partition, offset }])
        tell(name, 'committed', { offsets: [[topic, partition, Number(offset)]] })
      } catch (e) {
        tell(name, 'refused', { what: 'commit', error: String(e) })
        throw e
      }
    },
  })
}

const members = {}
const producers = {}
const transactions = {}

async function step(what, name, options) {
  if (what === 'init') {
    producers[name] = kafka.producer({ transactionalId: options.txn, idempotent: true, maxInFlightRequests: 1, retry: { retries: 3 } })
    await producers[name].connect()
  } else if (what === 'begin') transactions[name] = await producers[name].transaction()
  else if (what === 'send')
    await transactions[name].send({ topic: options.topic, messages: [{ partition: Number(options.partition), value: options.value }] })
  else if (what === 'commit') await transactions[name].commit()
  else if (what === 'abort') await transactions[name].abort()
  else throw new Error(what)
}

// One command after the other; joining and leaving go on beside the next ones.
async function obey(line) {
  const [what, name, ...rest] = line.trim().split(' ')
  const options = Object.fromEntries(rest.map(r => [r.slice(0, r.indexOf('=')), r.slice(r.indexOf('=') + 1)]))
  if (what === 'join') join(name, options).catch(e => tell(name, 'died', { error: String(e) }))
  else if (what === 'leave') members[name].disconnect().then(() => tell(name, 'left'), e => tell(name, 'died', { error: String(e) }))
  else await step(what, name, options).then(() => tell(name, 'done', { what }), e => tell(name, 'refused', { what, error: String(e) }))
}

tell('', 'ready')
let queue = Promise.resolve()
const input = require('readline').createInterface({ input: process.stdin })
input.on('line', line => { queue = queue.then(() => obey(line)) })
input.on('close', () => process.exit(0))
