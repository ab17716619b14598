// Command bench measures what the gateway costs. In one run it sends the same MCP requests to an upstream directly,
// through Caddy's plain reverse_proxy, and through the gateway with a token and a policy of 50 rules, and prints
// throughput, latency and Caddy's CPU time a request, each also as a ratio to the plain proxy.
//
// The upstream and Caddy are processes of their own; this one makes the load. Both proxied arms are the same Caddy
// process. Arms take turns within each round, so that whatever else the machine does hits all of them alike, and every
// figure is the median of the rounds.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	var (
		caddy       = flag.String("caddy", "", "path of a Caddy with the gateway in it")
		rounds      = flag.Int("rounds", 5, "rounds to take the median of")
		length      = flag.Duration("time", time.Second, "how long an arm runs in each round")
		connections = flag.Int("connections", 16, "connections to send on, each one request at a time")
		only        = flag.String("only", "", "measure only the cases whose names hold this, such as SSE, \"of 100,\" or streams")
		profiles    = flag.String("profiles", "", "directory for CPU profiles of Caddy, one for each case and proxied arm, taken after the case")
		upstream    = flag.Bool("upstream", false, "be the upstream (used by the program itself)")
	)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *upstream {
		if err := serveUpstream(os.Stdout); err != nil {
			log.Fatal(err)
		}
		return
	}
	if *caddy == "" || *rounds < 1 || *connections < 1 || *length <= 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(ctx, *caddy, *rounds, *length, *connections, *only, *profiles); err != nil {
		stop()
		log.Fatal(err)
	}
}

// run starts the processes, measures every case, and prints a table for each.
func run(ctx context.Context, caddy string, rounds int, length time.Duration, connections int, only, profiles string) error {
	site, err := start(ctx, caddy)
	if err != nil {
		return err
	}
	defer site.stop()
	fmt.Printf("%d connections, %d rounds of %v for each arm, medians\n", connections, rounds, length)
	for _, c := range cases {
		if !strings.Contains(c.name, only) {
			continue
		}
		results := make([][]sample, len(site.arms))
		for round := range rounds {
			for i := range site.arms {
				// Each round begins with another arm, so that none always follows the same one.
				i = (i + round) % len(site.arms)
				if round == 0 {
					if _, err := measure(ctx, site, site.arms[i], c, connections, length/4); err != nil {
						return fmt.Errorf("%s, %s: %w", c.name, site.arms[i].name, err)
					}
				}
				s, err := measure(ctx, site, site.arms[i], c, connections, length)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", c.name, site.arms[i].name, err)
				}
				results[i] = append(results[i], s)
			}
		}
		report(os.Stdout, c, site.arms, results)
		for _, a := range site.arms {
			if profiles == "" || !a.proxied {
				continue
			}
			if err := site.profile(ctx, a, c, connections, length, profiles); err != nil {
				return fmt.Errorf("profile of %s, %s: %w", c.name, a.name, err)
			}
		}
	}
	if !strings.Contains(streamsName, only) {
		return nil
	}
	return site.streams(ctx, os.Stdout, rounds)
}
