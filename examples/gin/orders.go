package main

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/countersign-auth/countersign/passport"
)

type guard = passport.Guard[*passport.Principal]

// routes returns the API. People come with a token, programs by the proxy.
func routes(people, programs *guard) *gin.Engine {
	admins := people.Require(passport.RequireRole("admin"))
	recent := admins.Require(passport.RequireFresh(10 * time.Minute))
	shippers := programs.Require(passport.RequireScope("orders:ship"))

	r := gin.New()
	r.Use(gin.Recovery())
	r.GET("/status", func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"status": "ok"}) })
	signedIn := r.Group("/", guarded(people.Handler))
	signedIn.GET("/orders", own)
	r.GET("/orders/all", guarded(admins.Handler), all)
	r.DELETE("/orders/:id", guarded(recent.Handler), remove)
	r.POST("/orders/:id/shipment", guarded(shippers.Handler), ship)
	return r
}

// own says whose orders these are.
func own(c *gin.Context) {
	user, _ := passport.UserFrom[*passport.Principal](c.Request.Context())
	c.JSON(http.StatusOK, gin.H{"user": user.ID, "email": user.Email, "orders": []string{}})
}

func all(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"orders": []string{}}) }

func remove(c *gin.Context) { c.Status(http.StatusNoContent) }

func ship(c *gin.Context) {
	owner, _ := passport.UserFrom[*passport.Principal](c.Request.Context())
	c.JSON(http.StatusOK, gin.H{"shipped": c.Param("id"), "by": owner.ID})
}
