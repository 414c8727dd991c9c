# Replaces docker.io/library/debian: the same distribution, from its package archive.
FROM localhost/alarmstack/standin:bookworm
CMD ["bash"]
