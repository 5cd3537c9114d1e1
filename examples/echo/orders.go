package main

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/countersign-auth/countersign/passport"
)

type guard = passport.Guard[*passport.Principal]

// routes returns the API. People come with a token, programs by the proxy.
func routes(people, programs *guard) *echo.Echo {
	admins := people.Require(passport.RequireRole("admin"))
	recent := admins.Require(passport.RequireFresh(10 * time.Minute))
	shippers := programs.Require(passport.RequireScope("orders:ship"))

	e := echo.New()
	e.Use(middleware.Recover())
	e.GET("/status", func(c echo.Context) error { return c.JSON(http.StatusOK, echo.Map{"status": "ok"}) })
	e.GET("/orders", own, echo.WrapMiddleware(people.Handler))
	e.GET("/orders/all", all, echo.WrapMiddleware(admins.Handler))
	e.DELETE("/orders/:id", remove, echo.WrapMiddleware(recent.Handler))
	e.POST("/orders/:id/shipment", ship, echo.WrapMiddleware(shippers.Handler))
	return e
}

// own says whose orders these are.
func own(c echo.Context) error {
	user, _ := passport.UserFrom[*passport.Principal](c.Request().Context())
	return c.JSON(http.StatusOK, echo.Map{"user": user.ID, "email": user.Email, "orders": []string{}})
}

func all(c echo.Context) error { return c.JSON(http.StatusOK, echo.Map{"orders": []string{}}) }

func remove(c echo.Context) error { return c.NoContent(http.StatusNoContent) }

func ship(c echo.Context) error {
	owner, _ := passport.UserFrom[*passport.Principal](c.Request().Context())
	return c.JSON(http.StatusOK, echo.Map{"shipped": c.Param("id"), "by": owner.ID})
}
