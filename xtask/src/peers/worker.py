"""A process that times frames when it is asked to."""

import pathlib
import subprocess


class Worker:
    def __init__(self, name, command, variables):
        command = [str(word) for word in command]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables)
        words = self.process.stdout.readline().split()
        if not words or words[0] != "ready":
            raise RuntimeError(f"{name} can't run the model; see its message above, or reinstall its package")
        self.load_ms = float(words[1])
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        (most,) = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")]
        self.memory_mib = (most - int(words[2])) / 1024

    def turn(self, frames):
        self.process.stdin.write(f"{frames}\n")
        self.process.stdin.flush()
        return [float(word) for word in self.process.stdout.readline().split()]

    def processor_ms(self):
        """Returns the processor time of all threads, from Linux's scheduler."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e6

    def end(self):
        self.process.stdin.close()
        self.process.wait()
