// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

// each visits all objects of a kind, of the namespace that the flags name, a page at a
// time: a big cluster has more of them than one answer, or this program, should hold.
func each[T any, L interface {
	*T
	client.ObjectList
}](g *gossip, cmd *cobra.Command, visit func(L) error) error {
	c, namespace, err := g.client(cmd)
	if err != nil {
		return err
	}
	if g.allNamespaces {
		namespace = ""
	}
	pages, p := 0, g.progress()
	began, told := p.now(), false
	err = eachOf(cmd.Context(), c, namespace, func(list L) error {
		if err := visit(list); err != nil {
			return err
		}
		pages++
		if took := p.now().Sub(began); took >= quiet {
			p.tick(fmt.Sprintf("reading: %d so far", pages*page), took, told)
			told = true
		}
		return nil
	})
	p.end("reading", p.now().Sub(began), told, err)
	return err
}

// eachOf visits those of a namespace; an empty one is all. Each page is a list of its
// own, of which items may be kept, and is
// visited before the next is asked for. An error of a visit ends it.
func eachOf[T any, L interface {
	*T
	client.ObjectList
}](ctx context.Context, c client.Reader, namespace string, visit func(L) error) error {
	for next := ""; ; {
		list := L(new(T))
		if err := installed(c.List(ctx, list, client.InNamespace(namespace), client.Limit(page), client.Continue(next))); err != nil {
			return err
		}
		if err := visit(list); err != nil {
			return err
		}
		if next = list.GetContinue(); next == "" {
			return nil
		}
	}
}

// none says on standard error, as kubectl does, that a table would have no row.
func (g *gossip) none(what string) error {
	_, err := fmt.Fprintf(g.ErrOut, "No %s found%s.\n", what, g.where())
	return err
}

// where was looked: a phrase, empty for all namespaces.
func (g *gossip) where() string {
	namespace, _, err := g.config.ToRawKubeConfigLoader().Namespace()
	if g.allNamespaces || err != nil { // with such an error nothing was looked for
		return ""
	}
	return " in " + view.Clean(namespace) + " namespace"
}
