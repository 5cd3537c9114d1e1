package main

import (
	"io"
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/countersign-auth/countersign/internal/testkit/exampletest"
)

func TestOrders(t *testing.T) {
	exampletest.Run(t, exampletest.Example{
		Routes: func(people, programs *guard, ran func()) http.Handler {
			e := routes(people, programs)
			e.Logger.SetOutput(io.Discard)
			probes := e.Group("", echo.WrapMiddleware(people.Handler))
			add := func(path string, then func(c echo.Context) error) {
				probes.GET(path, func(c echo.Context) error { ran(); return then(c) })
			}
			add("/probe", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
			add("/panics", func(echo.Context) error { panic("a mistake") })
			add("/fails", func(echo.Context) error { return echo.NewHTTPError(http.StatusTeapot, "no tea") })
			return e
		},
		Panics: http.StatusInternalServerError, Fails: http.StatusTeapot,
	})
}
