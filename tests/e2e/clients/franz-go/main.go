// franz-go as a test drives it: client <address>, commands on stdin and events on stdout (../../harness/hosts.py); or
//
//	client <address> read_committed <topic> <end of partition 0> ...
//
// prints "<partition> <offset> <value>" of every committed record below those ends, then stops.
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

	"github.com/twmb/franz-go/pkg/kgo"
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

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var balancers = map[string]func() kgo.GroupBalancer{"range": kgo.RangeBalancer, "roundrobin": kgo.RoundRobinBalancer,
	"sticky": kgo.StickyBalancer, "cooperative-sticky": kgo.CooperativeStickyBalancer}

func partitions(all map[string][]int32) []any {
	list := []any{}
	for topic, numbers := range all {
		for _, n := range numbers {
			list = append(list, []any{topic, n})
		}
	}
	return list
}

// A member commits what it has read before it reads on.
func join(name, address string, options map[string]string) (leave func()) {
	session, err := strconv.Atoi(options["session"])
	fail(err)
	ctx, cancel := context.WithCancel(context.Background())
	with := []kgo.Opt{kgo.SeedBrokers(address), kgo.ConsumerGroup(options["group"]), kgo.ConsumeTopics(strings.Split(options["topics"], ",")...),
		kgo.Balancers(balancers[options["strategy"]]()), kgo.DisableAutoCommit(), kgo.SessionTimeout(time.Duration(session) * time.Millisecond),
		kgo.HeartbeatInterval(500 * time.Millisecond), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.BlockRebalanceOnPoll(),
		kgo.MetadataMaxAge(5 * time.Second),
		kgo.OnPartitionsAssigned(func(_ context.Context, c *kgo.Client, p map[string][]int32) {
			id, generation := c.GroupMetadata()
			tell(name, "assigned", fields{"partitions": partitions(p), "id": id, "generation": generation})
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, p map[string][]int32) {
			tell(name, "revoked", fields{"partitions": partitions(p)})
		}),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, p map[string][]int32) {
			tell(name, "lost", fields{"partitions": partitions(p)})
		})}
	if options["instance"] != "" {
		with = append(with, kgo.InstanceID(options["instance"]))
	}
	client, err := kgo.NewClient(with...)
	fail(err)
	go func() {
		for ctx.Err() == nil {
			records := client.PollRecords(ctx, 500).Records()
			if len(records) > 0 {
				list, next := []any{}, map[string]map[int32]int64{}
				for _, r := range records {
					list = append(list, []any{r.Topic, r.Partition, r.Offset, string(r.Value)})
					if next[r.Topic] == nil {
						next[r.Topic] = map[int32]int64{}
					}
					next[r.Topic][r.Partition] = r.Offset + 1
				}
				tell(name, "read", fields{"records": list})
				if err := client.CommitRecords(context.Background(), records...); err != nil {
					tell(name, "refused", fields{"what": "commit", "error": err.Error()})
				} else {
					offsets := []any{}
					for topic, numbers := range next {
						for n, o := range numbers {
							offsets = append(offsets, []any{topic, n, o})
						}
					}
					tell(name, "committed", fields{"offsets": offsets})
				}
			}
			client.AllowRebalance()
		}
		client.CloseAllowingRebalance()
		tell(name, "left", nil)
	}()
	return cancel
}

type transactor struct {
	name   string
	client *kgo.Client
}

func (t *transactor) step(address, what string, options map[string]string) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	var err error
	switch what {
	case "init": // the id is asked for with the first record or by this
		t.client, err = kgo.NewClient(kgo.SeedBrokers(address), kgo.TransactionalID(options["txn"]), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		fail(err)
		_, _, err = t.client.ProducerID(ctx)
	case "begin":
		err = t.client.BeginTransaction()
	case "send":
		n, bad := strconv.Atoi(options["partition"])
		fail(bad)
		err = t.client.ProduceSync(ctx, &kgo.Record{Topic: options["topic"], Partition: int32(n), Value: []byte(options["value"])}).FirstErr()
	case "commit":
		err = t.client.EndTransaction(ctx, kgo.TryCommit)
	case "abort":
		err = t.client.EndTransaction(ctx, kgo.TryAbort)
	}
	if err != nil {
		tell(t.name, "refused", fields{"what": what, "error": err.Error()})
	} else {
		tell(t.name, "done", fields{"what": what})
	}
}

// Markers are kept, so that the end is seen also where it is one.
func readCommitted(address, topic string, ends []string) {
	left, from := map[int32]int64{}, map[int32]kgo.Offset{}
	for i, end := range ends {
		n, err := strconv.ParseInt(end, 10, 64)
		fail(err)
		if n > 0 {
			left[int32(i)] = n
			from[int32(i)] = kgo.NewOffset().AtStart()
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	fail(err)
	w := bufio.NewWriter(os.Stdout)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		fail(fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				fmt.Fprintln(w, r.Partition, r.Offset, string(r.Value))
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	fail(w.Flush())
}

func main() {
	address := os.Args[1]
	if len(os.Args) > 2 {
		readCommitted(address, os.Args[3], os.Args[4:])
		return
	}
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
			leave[name] = join(name, address, options)
		case "leave":
			leave[name]()
		case "init":
			transactors[name] = &transactor{name: name}
			fallthrough
		default:
			transactors[name].step(address, what, options)
		}
	}
	os.Exit(0)
}
