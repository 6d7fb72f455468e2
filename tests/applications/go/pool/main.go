// An application in Go: four workers that query a database through the pool of database/sql.
//
// Each query is one line on standard output: the time of its end in milliseconds since 1970, the number of its worker, and "ok" or "failed"
// with the error. It ends with its standard input. The arguments are host and port, neither of which changes while it runs, and how it is
// set up: "defaults" as the pool is by itself, "checks" with a check of each connection before it is used, which is the same here, and
// "retries" with queries that are repeated for ten seconds.
package main

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
)

const workers = 4

// For how long a query that fails is repeated, and how often.
const (
	patience = 10 * time.Second
	pause    = 100 * time.Millisecond
)

func main() {
	_ = mysql.SetLogger(log.New(io.Discard, "", 0))
	config := mysql.NewConfig()
	config.User = "root"
	config.Net = "tcp"
	config.Addr = net.JoinHostPort(os.Args[1], os.Args[2])
	config.DBName = "shop"
	config.Timeout = 10 * time.Second
	config.ReadTimeout = 5 * time.Second
	config.WriteTimeout = 5 * time.Second
	connector, err := mysql.NewConnector(config)
	if err != nil {
		log.Fatal(err)
	}
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(workers)
	pool.SetMaxIdleConns(workers)
	pool.SetConnMaxLifetime(10 * time.Minute)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	var lock sync.Mutex
	out := bufio.NewWriter(os.Stdout)
	retries := os.Args[3] == "retries"
	for worker := range workers {
		go func() {
			for {
				line := "ok"
				if err := work(pool, retries); err != nil {
					line = "failed " + strings.ReplaceAll(err.Error(), "\n", " ")
				}
				lock.Lock()
				fmt.Fprintln(out, time.Now().UnixMilli(), worker, line)
				_ = out.Flush()
				lock.Unlock()
				time.Sleep(20 * time.Millisecond)
			}
		}()
	}
	select {}
}

func work(pool *sql.DB, retries bool) error {
	began := time.Now()
	for {
		err := query(pool)
		if err == nil || !retries || time.Since(began) > patience {
			return err
		}
		time.Sleep(pause)
	}
}

func query(pool *sql.DB) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var item string
	return pool.QueryRowContext(ctx, "SELECT item FROM orders WHERE id = 1").Scan(&item)
}
