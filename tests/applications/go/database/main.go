// A MySQL-compatible database in memory, for the proxies of the simulator to forward to. It has one table, shop.orders, with one row.
//
// It prints "listening" when it can be connected to, and ends with its standard input.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/memory"
	"github.com/dolthub/go-mysql-server/server"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/sirupsen/logrus"
)

func main() {
	logrus.SetOutput(io.Discard) // Each connection that is cut would be a line.
	address := os.Args[1]
	shop := memory.NewDatabase("shop")
	shop.BaseDatabase.EnablePrimaryKeyIndexes()
	provider := memory.NewDBProvider(shop)
	session := memory.NewSession(sql.NewBaseSession(), provider)
	ctx := sql.NewContext(context.Background(), sql.WithSession(session))
	table := memory.NewTable(shop, "orders", sql.NewPrimaryKeySchema(sql.Schema{
		{Name: "id", Type: types.Int64, Source: "orders", PrimaryKey: true},
		{Name: "item", Type: types.Text, Source: "orders"},
	}), shop.GetForeignKeyCollection())
	shop.AddTable("orders", table)
	if err := table.Insert(ctx, sql.NewRow(int64(1), "a bicycle")); err != nil {
		log.Fatal(err)
	}
	engine := sqle.NewDefault(provider)
	config := server.Config{Protocol: "tcp", Address: address}
	database, err := server.NewServer(config, engine, sql.NewContext, memory.NewSessionBuilder(provider), nil)
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println("listening")
	if err := database.Start(); err != nil {
		log.Fatal(err)
	}
}
