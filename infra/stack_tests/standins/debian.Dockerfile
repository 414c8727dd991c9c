# Stands in for docker.io/library/debian: the same distribution, from its own package archive.
FROM localhost/alarmstack/standin:bookworm
CMD ["bash"]
