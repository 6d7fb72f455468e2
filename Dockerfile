# The operator as an image of two files: one static program, and the certificate authorities that it believes.
#
#   make image                                  with version, commit and date in its labels
#   docker build --build-arg COMMIT=… .         the same by hand; without a commit it says "unknown"
#   docker build --platform linux/arm64 .       for another processor, cross-compiled
#
# What is built and what the image holds is decided in build/static and build/image-root, which the tests use as well.

# The version of rust-toolchain.toml.
ARG RUST_VERSION=1.95.0

FROM --platform=$BUILDPLATFORM docker.io/library/rust:${RUST_VERSION}-slim-bookworm AS build
# The toolchain of this image, without the tools for developers that rust-toolchain.toml asks for.
ARG RUST_VERSION
ENV RUSTUP_TOOLCHAIN=$RUST_VERSION
ARG TARGETARCH
WORKDIR /source
COPY build build
RUN build/static --arch "$TARGETARCH" --prepare

# A layer of its own: dependencies are built anew only when one of these files changes. Cargo wants to see all members.
COPY Cargo.toml Cargo.lock ./
COPY fuzz/Cargo.toml fuzz/Cargo.toml
COPY plugin/Cargo.toml plugin/Cargo.toml
COPY tests/bench/Cargo.toml tests/bench/Cargo.toml
COPY tests/controlplane/Cargo.toml tests/controlplane/Cargo.toml
COPY tests/needs/Cargo.toml tests/needs/Cargo.toml
COPY tests/schedules/Cargo.toml tests/schedules/Cargo.toml
COPY tests/sim/Cargo.toml tests/sim/Cargo.toml
RUN build/static --arch "$TARGETARCH" --dependencies

COPY build.rs ./
COPY src src
ARG COMMIT
ARG SOURCE_DATE_EPOCH
RUN TAURUS_COMMIT="$COMMIT" build/image-root /image --arch "$TARGETARCH"

FROM scratch
COPY --from=build /image/ /
ARG VERSION=0.1.0
ARG COMMIT
# The epoch, where nobody says when the source was written.
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="taurus-port-operator" \
      org.opencontainers.image.description="Moves the ports of TaurusDB database proxies as Kubernetes resources say" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="${COMMIT:-unknown}" \
      org.opencontainers.image.created="$CREATED"
# There is no /etc/passwd to look a name up in. Kubernetes needs the number to see that this isn't root.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/taurus-port-operator"]
CMD ["run"]
