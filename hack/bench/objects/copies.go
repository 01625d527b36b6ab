// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// batch of copies stays below etcd's limit of a request, 1.5 MiB.
const batch = 50

func keyOf(c *unstructured.Unstructured) []byte {
	return fmt.Appendf(nil, "/registry/%s/%s/%s/%s", certificates.Group, certificates.Resource, c.GetNamespace(), c.GetName())
}

// copies puts copies of the first certificate into etcd, as the API server has it there,
// and returns the size of one.
func (p *plane) copies(ctx context.Context, o options) (size int, err error) {
	first, raw, err := p.first(ctx, o)
	if err != nil {
		return 0, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(2)
	for from := o.written; from < o.objects; from += batch {
		g.Go(func() error {
			var puts []any
			for i := from; i < min(from+batch, o.objects); i++ {
				c := copyOf(first, i, o.namespaces)
				value, err := json.Marshal(c.Object)
				if err != nil {
					return err
				}
				puts = append(puts, map[string]any{"requestPut": map[string]any{"key": keyOf(c), "value": value}})
			}
			return p.etcd(ctx, "kv/txn", map[string]any{"success": puts}, nil)
		})
	}
	return len(raw), g.Wait()
}

// first is the first certificate that was written, as it is in etcd.
func (p *plane) first(ctx context.Context, o options) (*unstructured.Unstructured, []byte, error) {
	template, err := sampled()
	if err != nil {
		return nil, nil, err
	}
	var found struct {
		KVs []struct{ Value string } `json:"kvs"`
	}
	key := keyOf(certificate(template, 0, o.namespaces, time.Now()))
	if err := p.etcd(ctx, "kv/range", map[string]any{"key": key}, &found); err != nil {
		return nil, nil, err
	}
	if len(found.KVs) != 1 {
		return nil, nil, errors.New("etcd does not have the first certificate")
	}
	raw, err := base64.StdEncoding.DecodeString(found.KVs[0].Value)
	if err != nil {
		return nil, nil, err
	}
	c := &unstructured.Unstructured{}
	return c, raw, json.Unmarshal(raw, &c.Object)
}

// copyOf the first certificate is of another pod. Some are old.
func copyOf(first *unstructured.Unstructured, i, groups int) *unstructured.Unstructured {
	created := time.Now()
	if old(i) {
		created = created.Add(-30 * time.Hour)
	}
	c := certificate(first.Object, i, groups, created)
	set(c.Object, "metadata.uid", fmt.Sprintf("%08x-a3c1-4d0e-9c55-5e1f3f8f3a11", i))
	set(c.Object, "metadata.creationTimestamp", created.UTC().Format(time.RFC3339))
	return c
}
