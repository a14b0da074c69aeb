package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

var out sync.Mutex

type fields map[string]any

func tell(member, event string, more fields) {
	line := fields{"at": float64(time.Now().UnixMicro()) / 1e6, "member": member, "event": event}
	for k, v := range more {
		line[k] = v
	}
	text, _ := json.Marshal(line)
	out.Lock()
	defer out.Unlock()
	fmt.Println(string(text))
}

var strategies = map[string]func() sarama.BalanceStrategy{"range": sarama.NewBalanceStrategyRange,
	"roundrobin": sarama.NewBalanceStrategyRoundRobin, "sticky": sarama.NewBalanceStrategySticky}

// A member commits what it has read before it reads on. sarama does not say whether a commit succeeded: no "committed" here.
// One commit at a time: of two that it sends at once the earlier may arrive last.
type member struct {
	name   string
	commit *sync.Mutex
}

func (m member) claims(event string, s sarama.ConsumerGroupSession) {
	list := []any{}
	for topic, numbers := range s.Claims() {
		for _, n := range numbers {
			list = append(list, []any{topic, n})
		}
	}
	tell(m.name, event, fields{"partitions": list, "id": s.MemberID(), "generation": s.GenerationID()})
}

func (m member) Setup(s sarama.ConsumerGroupSession) error   { m.claims("assigned", s); return nil }
func (m member) Cleanup(s sarama.ConsumerGroupSession) error { m.claims("revoked", s); return nil }

func (m member) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for first := range claim.Messages() {
		batch := []*sarama.ConsumerMessage{first}
		for more := true; more && len(batch) < 500; {
			select {
			case next, open := <-claim.Messages():
				if more = open; open {
					batch = append(batch, next)
				}
			default:
				more = false
			}
		}
		list := []any{}
		for _, r := range batch {
			list = append(list, []any{r.Topic, r.Partition, r.Offset, string(r.Value)})
			s.MarkMessage(r, "")
		}
		tell(m.name, "read", fields{"records": list})
		m.commit.Lock()
		s.Commit()
		m.commit.Unlock()
	}
	return nil
}

func join(name, address, version string, options map[string]string) (leave func()) {
	session, err := strconv.Atoi(options["session"])
	fail(err)
	c := config(version)
	c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategies[options["strategy"]]()}
	c.Consumer.Group.Session.Timeout = time.Duration(session) * time.Millisecond
	c.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	c.Consumer.Group.InstanceId = options["instance"]
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.MaxWaitTime = 100 * time.Millisecond
	c.Consumer.Return.Errors = true
	c.Metadata.RefreshFrequency = 5 * time.Second
	group, err := sarama.NewConsumerGroup([]string{address}, options["group"], c)
	fail(err)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for err := range group.Errors() {
			tell(name, "refused", fields{"what": "something", "error": err.Error()})
		}
	}()
	go func() {
		for ctx.Err() == nil {
			if err := group.Consume(ctx, strings.Split(options["topics"], ","), member{name, &sync.Mutex{}}); err != nil {
				tell(name, "refused", fields{"what": "consume", "error": err.Error()})
				select { // as its manual says: again, while the broker is away
				case <-ctx.Done():
				case <-time.After(200 * time.Millisecond):
				}
			}
		}
		if err := group.Close(); err != nil {
			tell(name, "refused", fields{"what": "close", "error": err.Error()})
		}
		tell(name, "left", nil)
	}()
	return cancel
}

type transactor struct {
	name     string
	producer sarama.SyncProducer
}

func (t *transactor) step(address, version, what string, options map[string]string) {
	var err error
	switch what {
	case "init":
		c := config(version)
		c.Net.MaxOpenRequests = 1
		c.Producer.Idempotent = true
		c.Producer.RequiredAcks = sarama.WaitForAll
		c.Producer.Return.Successes = true
		c.Producer.Transaction.ID = options["txn"]
		c.Producer.Partitioner = sarama.NewManualPartitioner
		t.producer, err = sarama.NewSyncProducer([]string{address}, c)
	case "begin":
		err = t.producer.BeginTxn()
	case "send":
		n, bad := strconv.Atoi(options["partition"])
		fail(bad)
		_, _, err = t.producer.SendMessage(&sarama.ProducerMessage{Topic: options["topic"], Partition: int32(n), Value: sarama.StringEncoder(options["value"])})
	case "commit":
		err = t.producer.CommitTxn()
	case "abort":
		err = t.producer.AbortTxn()
	}
	if err != nil {
		tell(t.name, "refused", fields{"what": what, "error": err.Error()})
	} else {
		tell(t.name, "done", fields{"what": what})
	}
}

func host(address, version string) {
	leave, transactors := map[string]func(){}, map[string]*transactor{}
	tell("", "ready", nil)
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		words := strings.Fields(in.Text())
		options := map[string]string{}
		for _, word := range words[2:] {
			k, v, _ := strings.Cut(word, "=")
			options[k] = v
		}
		what, name := words[0], words[1]
		switch what {
		case "join":
			leave[name] = join(name, address, version, options)
		case "leave":
			leave[name]()
		case "init":
			transactors[name] = &transactor{name: name}
			fallthrough
		default:
			transactors[name].step(address, version, what, options)
		}
	}
	os.Exit(0)
}
