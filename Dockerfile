# docker build -t vestibule .
# docker run -p 8443:8443 -v vestibule:/var/lib/vestibule -v ./vestibule.toml:/etc/vestibule/vestibule.toml:ro vestibule

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked && cp target/release/vestibule /vestibule
# A fresh volume takes over the owner and mode of the folder that it is mounted on.
RUN mkdir -m 0700 /state

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /vestibule /usr/local/bin/vestibule
COPY --from=build --chown=65532:65532 /state /var/lib/vestibule
# Relative paths of the configuration, such as sqlite:vestibule.db, begin here.
WORKDIR /var/lib/vestibule
VOLUME /var/lib/vestibule
EXPOSE 8443
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s \
    CMD ["/usr/local/bin/vestibule", "healthcheck", "-c", "/etc/vestibule/vestibule.toml"]
# SIGTERM drains; give `docker stop` more time than server.drain.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/vestibule"]
CMD ["serve", "-c", "/etc/vestibule/vestibule.toml"]
