# The app in a container, for any host that runs one:
#     docker build -t mnist-steps . && docker run --rm -p 7860:7860 mnist-steps
FROM python:3.13-slim
RUN useradd --create-home --uid 1000 reader
USER reader
WORKDIR /home/reader/app
ENV PATH=/home/reader/.local/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_USER=1
# First of all and without CUDA, which would add 3 GB: a layer that seldom changes
RUN pip install torch --index-url https://download.pytorch.org/whl/cpu
COPY --chown=reader . .
RUN pip install ".[demo]"
EXPOSE 7860
HEALTHCHECK --start-period=20s CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://localhost:7860/_stcore/health')"]
CMD ["python", "-m", "streamlit", "run", "demo/app.py", "--server.address=0.0.0.0", "--server.port=7860", "--server.headless=true", "--server.fileWatcherType=none"]
