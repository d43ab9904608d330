// The three checks with alexliesenfeld/health, run every five seconds in the background and answered from memory.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/alexliesenfeld/health"
	_ "github.com/jackc/pgx/v5/stdlib"
)

func main() {
	bot := os.Getenv("BOT_URL")
	database, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
	if err != nil {
		panic(err)
	}
	api := func(ctx context.Context) error {
		var body struct{ Status string }
		if err := read(ctx, bot+"/health", &body); err != nil {
			return err
		}
		if body.Status != "ok" {
			return fmt.Errorf("expected status ok, got %q", body.Status)
		}
		return nil
	}
	models := func(ctx context.Context) error {
		var body struct{ Models []struct{ Loaded bool } }
		if err := read(ctx, bot+"/models", &body); err != nil {
			return err
		}
		if len(body.Models) == 0 {
			return fmt.Errorf("expected a model, got none")
		}
		for _, model := range body.Models {
			if !model.Loaded {
				return fmt.Errorf("expected every model loaded")
			}
		}
		return nil
	}
	checker := health.NewChecker(
		health.WithPeriodicCheck(5*time.Second, 0, health.Check{Name: "api", Check: api}),
		health.WithPeriodicCheck(5*time.Second, 0, health.Check{Name: "database", Check: database.PingContext}),
		health.WithPeriodicCheck(5*time.Second, 0, health.Check{Name: "models", Check: models}),
	)
	http.Handle("/readyz", health.NewHandler(checker))
	if err := http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil); err != nil {
		panic(err)
	}
}

func read(ctx context.Context, url string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("expected 200, got %d", response.StatusCode)
	}
	return json.NewDecoder(response.Body).Decode(into)
}
