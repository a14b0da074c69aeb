// sarama as a test drives it:
//
//	produce <address> <version> <topic> <codec> <acks>     records on stdin (format: ../java/JavaClient.java)
//	consume <address> <version> <topic>:<count> ...        "<topic> <record>" lines on stdout
//	host    <address> <version>                            commands on stdin, events on stdout (../../harness/hosts.py)
//
// The producer is set as Filebeat's kafka output sets it: asynchronous, flushed by count and time, hash partitioner of
// its own (here: manual), the protocol version given.
package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func unpack(text string) []byte {
	if text == "-" {
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(text)
	fail(err)
	if b == nil {
		b = []byte{}
	}
	return b
}

func pack(b []byte) string {
	if b == nil {
		return "-"
	}
	return base64.StdEncoding.EncodeToString(b)
}

func encoder(text string) sarama.Encoder {
	if b := unpack(text); b != nil {
		return sarama.ByteEncoder(b)
	}
	return nil
}

func config(version string) *sarama.Config {
	c := sarama.NewConfig()
	c.ClientID = "beats"
	v, err := sarama.ParseKafkaVersion(version)
	fail(err)
	c.Version = v
	c.Metadata.Retry.Max = 3
	c.Metadata.Retry.Backoff = 250 * time.Millisecond
	c.Net.DialTimeout = 30 * time.Second
	return c
}

func produce(address, version, topic, codec, acks string) {
	c := config(version)
	c.Producer.Return.Successes = true
	c.Producer.Return.Errors = true
	c.Producer.MaxMessageBytes = 1000000
	c.Producer.Flush.MaxMessages = 2048
	c.Producer.Timeout = 30 * time.Second
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.CompressionLevel = 4
	n, err := strconv.Atoi(acks)
	fail(err)
	c.Producer.RequiredAcks = sarama.RequiredAcks(n)
	fail(c.Producer.Compression.UnmarshalText([]byte(codec)))
	if c.Producer.Compression != sarama.CompressionGZIP {
		c.Producer.CompressionLevel = sarama.CompressionLevelDefault
	}
	producer, err := sarama.NewAsyncProducer([]string{address}, c)
	fail(err)
	sent, done := 0, make(chan int)
	go func() {
		acknowledged := 0
		for range producer.Successes() {
			acknowledged++
		}
		done <- acknowledged
	}()
	go func() {
		for e := range producer.Errors() {
			fail(e)
		}
	}()
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 8<<20)
	for in.Scan() {
		f := strings.Split(in.Text(), "\t")
		m := &sarama.ProducerMessage{Topic: topic, Key: encoder(f[1]), Value: encoder(f[2])}
		if f[0] != "-" {
			ms, err := strconv.ParseInt(f[0], 10, 64)
			fail(err)
			m.Timestamp = time.UnixMilli(ms)
		}
		if f[3] != "" && c.Version.IsAtLeast(sarama.V0_11_0_0) {
			for _, pair := range strings.Split(f[3], ",") {
				kv := strings.Split(pair, ":")
				m.Headers = append(m.Headers, sarama.RecordHeader{Key: unpack(kv[0]), Value: unpack(kv[1])})
			}
		}
		producer.Input() <- m
		sent++
	}
	fail(in.Err())
	producer.AsyncClose()
	if acknowledged := <-done; acknowledged != sent {
		fail(fmt.Errorf("%d sent, %d acknowledged", sent, acknowledged))
	}
	fmt.Println("sent", sent)
}

func consume(address, version string, wanted []string) {
	c := config(version)
	c.Consumer.MaxWaitTime = 50 * time.Millisecond // closing a partition waits for its fetch
	consumer, err := sarama.NewConsumer([]string{address}, c)
	fail(err)
	out := bufio.NewWriter(os.Stdout)
	for _, each := range wanted {
		colon := strings.LastIndex(each, ":")
		topic := each[:colon]
		count, err := strconv.Atoi(each[colon+1:])
		fail(err)
		partition, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
		fail(err)
		for i := 0; i < count; i++ {
			select {
			case m := <-partition.Messages():
				headers := []string{}
				for _, h := range m.Headers {
					headers = append(headers, pack(h.Key)+":"+pack(h.Value))
				}
				timestamp := int64(-1) // a message of format 0 has none
				if !m.Timestamp.IsZero() {
					timestamp = m.Timestamp.UnixMilli()
				}
				fmt.Fprintf(out, "%s\t%d\t%s\t%s\t%s\n", topic, timestamp, pack(m.Key), pack(m.Value), strings.Join(headers, ","))
			case <-time.After(30 * time.Second):
				fail(fmt.Errorf("%s: %d of %d", topic, i, count))
			}
		}
		fail(partition.Close())
	}
	fail(out.Flush())
	fail(consumer.Close())
}

func main() {
	a := os.Args
	switch a[1] {
	case "produce":
		produce(a[2], a[3], a[4], a[5], a[6])
	case "consume":
		consume(a[2], a[3], a[4:])
	case "host":
		host(a[2], a[3])
	}
}
