package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics returns the handler of /metrics, in the format of Prometheus. It tells nothing of any one user.
func (a *App) Metrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	counter := func(name, help string, labels prometheus.Labels, value func() uint64) {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "countersign_" + name, Help: help, ConstLabels: labels},
			func() float64 { return float64(value()) }))
	}
	gauge := func(name, help string, value func() float64) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "countersign_" + name, Help: help}, value))
	}
	sessions := a.Sessions.Stats
	counter("sessions_opened_total", "Sessions opened by this process.", nil, func() uint64 { return sessions().Opened })
	for result, value := range map[string]func() uint64{
		"rotated":  func() uint64 { return sessions().Rotated },
		"repeated": func() uint64 { return sessions().Repeated },
		"refused":  func() uint64 { return sessions().Refused },
		"reused":   func() uint64 { return sessions().Reused },
	} {
		counter("refreshes_total", "Refresh tokens presented, by what came of them.", prometheus.Labels{"result": result}, value)
	}
	cache := a.Guard.Cache().Stats
	for result, value := range map[string]func() uint64{
		"hit": func() uint64 { return cache().Hits }, "miss": func() uint64 { return cache().Misses },
	} {
		counter("token_cache_lookups_total", "Tokens presented, by whether they were found among those verified before.",
			prometheus.Labels{"result": result}, value)
	}
	counter("token_cache_refused_total", "Good tokens that were not remembered.", nil, func() uint64 { return cache().Refused })
	counter("token_cache_evictions_total", "Tokens that were forgotten for others.", nil, func() uint64 { return cache().Evictions })
	gauge("token_cache_entries", "Tokens that are remembered.", func() float64 { return float64(cache().Entries) })
	gauge("token_cache_bytes", "What they take, as estimated.", func() float64 { return float64(cache().Bytes) })
	gauge("revocations", "Ended sessions and epochs that are held in memory.", func() float64 { return float64(a.Revoked.Stats().Entries) })
	gauge("revocations_age_seconds", "How long ago the database last told what has been ended.", func() float64 { return a.Revoked.Stats().Age.Seconds() })
	counter("revocations_faults_total", "How often it could not be asked.", nil, func() uint64 { return a.Revoked.Stats().Faults })
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn)})
}

// serveMetrics answers at metrics_listen until ctx ends. It says on which address, which differs if any port will do.
func (a *App) serveMetrics(ctx context.Context) (stop func(), err error) {
	if a.Config.MetricsListen == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", a.Config.MetricsListen)
	if err != nil {
		return nil, fmt.Errorf("metrics_listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.Metrics())
	server := HTTPServer(mux, a.log)
	go func() { _ = server.Serve(listener) }() // ends with Close
	a.log.LogAttrs(ctx, slog.LevelInfo, "metrics", slog.String("url", "http://"+listener.Addr().String()+"/metrics"))
	return func() { _ = server.Close() }, nil
}
