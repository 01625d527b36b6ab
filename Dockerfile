# SPDX-License-Identifier: Apache-2.0
# For those who have Docker or another builder; make images needs neither.
#
#   docker build --target kernel-observer -t localhost/kernel-gossip/kernel-observer:dev .
#   docker build --target operator        -t localhost/kernel-gossip/operator:dev .
#
# The BPF objects are committed: no compiler for them is needed here.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETARCH
RUN CGO_ENABLED=0 GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -ldflags='-s -w' -o /out/ ./cmd/kernel-observer ./cmd/operator

# Root inside, with no capability but those that its pod is given.
FROM scratch AS kernel-observer
COPY --from=build /out/kernel-observer /kernel-observer
USER 0:0
ENTRYPOINT ["/kernel-observer"]

FROM scratch AS operator
COPY --from=build /out/operator /operator
USER 65532:65532
ENTRYPOINT ["/operator"]
