// ClickHouse's Go client for the tests: it runs the requests that come on stdin, a JSON object a line, against one
// server over HTTP, and answers each with a line of JSON. It opens connections as Grafana's plugin does.
package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

type connection struct {
	Address, Database, User, Password, Compression string
	Settings, Headers                              map[string]string
}

type request struct {
	Do, SQL, Zone    string
	Params, Settings map[string]string
	Comment          []string
	Seconds          float64
	Times, Rows      int
}

type answer struct {
	Columns []string `json:"columns,omitempty"`
	Types   []string `json:"types,omitempty"`
	Rows    [][]any  `json:"rows"`
	Error   *failure `json:"error,omitempty"`
}

type failure struct {
	Status  int    `json:"status"`
	Code    int32  `json:"code"`
	Name    string `json:"name"`
	Message string `json:"message"`
}

var compressions = map[string]clickhouse.CompressionMethod{
	"none": clickhouse.CompressionNone, "gzip": clickhouse.CompressionGZIP, "deflate": clickhouse.CompressionDeflate,
	"br": clickhouse.CompressionBrotli, "lz4": clickhouse.CompressionLZ4, "zstd": clickhouse.CompressionZSTD,
}

func options(wanted connection) *clickhouse.Options {
	settings := clickhouse.Settings{}
	for name, value := range wanted.Settings {
		settings[name] = value
	}
	return &clickhouse.Options{
		Addr:        []string{wanted.Address},
		Auth:        clickhouse.Auth{Database: wanted.Database, Username: wanted.User, Password: wanted.Password},
		Compression: &clickhouse.Compression{Method: compressions[wanted.Compression], Level: 1},
		DialTimeout: 10 * time.Second,
		ReadTimeout: 60 * time.Second,
		HttpHeaders: wanted.Headers,
		Protocol:    clickhouse.HTTP,
		Settings:    settings,
	}
}

func inContext(wanted request) (context.Context, context.CancelFunc) {
	settings := clickhouse.Settings{}
	for name, value := range wanted.Settings {
		settings[name] = value
	}
	extra := []clickhouse.QueryOption{
		clickhouse.WithSettings(settings),
		clickhouse.WithClientInfo(clickhouse.ClientInfo{Comment: wanted.Comment}),
	}
	if wanted.Params != nil {
		extra = append(extra, clickhouse.WithParameters(wanted.Params))
	}
	if zone, err := time.LoadLocation(wanted.Zone); wanted.Zone != "" && err == nil {
		extra = append(extra, clickhouse.WithUserLocation(zone))
	}
	seconds := wanted.Seconds
	if seconds == 0 {
		seconds = 60
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(seconds*float64(time.Second)))
	return clickhouse.Context(ctx, extra...), cancel
}

// What JSON has no number for becomes text.
func shown(value any) any {
	plain := reflect.Indirect(reflect.ValueOf(value))
	if !plain.IsValid() {
		return nil
	}
	if plain.Kind() == reflect.Pointer {
		return shown(plain.Interface())
	}
	if plain.Kind() == reflect.Float64 && (math.IsNaN(plain.Float()) || math.IsInf(plain.Float(), 0)) {
		return fmt.Sprint(plain.Float())
	}
	if _, itself := value.(json.Marshaler); itself {
		return value
	}
	return plain.Interface()
}

// Each value is read into the Go type that the client names for its column.
func read(rows *sql.Rows, into *answer) error {
	defer rows.Close()
	kinds, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		into.Columns = append(into.Columns, kind.Name())
		into.Types = append(into.Types, kind.DatabaseTypeName())
	}
	for rows.Next() {
		row := make([]any, len(kinds))
		for column, kind := range kinds {
			row[column] = reflect.New(kind.ScanType()).Interface()
		}
		if err := rows.Scan(row...); err != nil {
			return err
		}
		for column := range row {
			row[column] = shown(row[column])
		}
		into.Rows = append(into.Rows, row)
	}
	return rows.Err()
}

func query(db *sql.DB, wanted request) (found answer, err error) {
	ctx, cancel := inContext(wanted)
	defer cancel()
	rows, err := db.QueryContext(ctx, wanted.SQL)
	if err != nil {
		return found, err
	}
	return found, read(rows, &found)
}

// The same query many times at once; its answers one below the other.
func parallel(db *sql.DB, wanted request) (found answer, err error) {
	var group sync.WaitGroup
	answers, failures := make([]answer, wanted.Times), make([]error, wanted.Times)
	for index := range wanted.Times {
		mine := wanted
		mine.Params = map[string]string{"n": fmt.Sprint(index)}
		group.Go(func() { answers[index], failures[index] = query(db, mine) })
	}
	group.Wait()
	for _, one := range answers {
		found.Rows = append(found.Rows, one.Rows...)
	}
	return found, errors.Join(failures...)
}

func insert(wanted request, how *clickhouse.Options) error {
	ctx, cancel := inContext(wanted)
	defer cancel()
	conn, err := clickhouse.Open(how)
	if err != nil {
		return err
	}
	defer conn.Close()
	batch, err := conn.PrepareBatch(ctx, wanted.SQL)
	if err != nil {
		return err
	}
	for number := range wanted.Rows {
		if err := batch.Append(uint64(number), fmt.Sprintf("text %d", number)); err != nil {
			return err
		}
	}
	return batch.Send()
}

func hello(how *clickhouse.Options) (found answer, err error) {
	conn, err := clickhouse.Open(how)
	if err != nil {
		return found, err
	}
	defer conn.Close()
	server, err := conn.ServerVersion()
	if err != nil {
		return found, err
	}
	found.Rows = [][]any{{server.DisplayName, server.Version.String(), server.Revision, server.Timezone.String()}}
	return found, nil
}

func run(db *sql.DB, wanted request, how *clickhouse.Options) (found answer, err error) {
	switch wanted.Do {
	case "hello":
		return hello(how)
	case "ping":
		return found, db.Ping()
	case "exec":
		ctx, cancel := inContext(wanted)
		defer cancel()
		_, err = db.ExecContext(ctx, wanted.SQL)
		return found, err
	case "parallel":
		return parallel(db, wanted)
	case "insert":
		return found, insert(wanted, how)
	}
	return query(db, wanted)
}

func failed(err error) *failure {
	found := &failure{Message: err.Error()}
	var status *clickhouse.HTTPError
	if errors.As(err, &status) {
		found.Status = status.StatusCode
	}
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		found.Code, found.Name, found.Message = exception.Code, exception.CodeName, exception.Message
	}
	return found
}

func main() {
	var wanted connection
	if err := json.Unmarshal([]byte(os.Args[1]), &wanted); err != nil {
		panic(err)
	}
	how := options(wanted)
	db := clickhouse.OpenDB(how)
	defer db.Close()
	out := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		var one request
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			panic(err)
		}
		found, err := run(db, one, how)
		if err != nil {
			found.Error = failed(err)
		}
		if err := out.Encode(found); err != nil {
			panic(err)
		}
	}
}
