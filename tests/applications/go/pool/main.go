// An application in Go: four workers that query a database through the pool of database/sql.
//
// Each query is one line on standard output: the time of its end in milliseconds since 1970, and "ok" or "failed" with the error. It ends
// with its standard input. The arguments are host and port; neither changes while it runs.
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
	for range workers {
		go func() {
			for {
				line := "ok"
				if err := query(pool); err != nil {
					line = "failed " + strings.ReplaceAll(err.Error(), "\n", " ")
				}
				lock.Lock()
				fmt.Fprintln(out, time.Now().UnixMilli(), line)
				_ = out.Flush()
				lock.Unlock()
				time.Sleep(20 * time.Millisecond)
			}
		}()
	}
	select {}
}

func query(pool *sql.DB) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var item string
	return pool.QueryRowContext(ctx, "SELECT item FROM orders WHERE id = 1").Scan(&item)
}
