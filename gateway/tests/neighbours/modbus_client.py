"""A Modbus client that is not ours: reads and writes what docs/plc.md says, and prints what it found as JSON."""

import json
import sys
import time

from pymodbus.client import ModbusTcpClient

client = ModbusTcpClient("127.0.0.1", port=int(sys.argv[1]))
assert client.connect()
INT, FLOAT = client.DATATYPE.UINT32, client.DATATYPE.FLOAT32


def value(address, kind):
    answer = client.read_input_registers(address, count=2)
    assert not answer.isError(), answer
    return client.convert_from_registers(answer.registers, kind)


def refused(answer):
    return answer.exception_code if answer.isError() else None


deadline = time.monotonic() + 20
while value(6, INT) != 70001 or client.read_input_registers(3, count=1).registers != [2]:
    assert time.monotonic() < deadline, "the part is not there"
    time.sleep(0.01)

found = {
    "version": client.read_input_registers(0, count=1).registers[0],
    "part": value(6, INT),
    "run": value(8, INT),
    "score": value(14, FLOAT),
    "threshold": value(16, FLOAT),
    "triggered": value(26, INT),
    "alarms": client.read_input_registers(3, count=1).registers[0],
    "discretes": client.read_discrete_inputs(0, count=8).bits,
    "ng": client.read_coils(0, count=1).bits[0],
    "copy_is_equal": client.read_holding_registers(110, count=100).registers
    == client.read_input_registers(10, count=100).registers,
    "refused": [
        refused(client.write_register(6, 1)),
        refused(client.write_coil(0, True)),
        refused(client.write_register(0, 9)),
        refused(client.write_register(4, 1)),
        refused(client.read_input_registers(200, count=50)),
    ],
}
for answer in [
    client.write_register(0, 1),
    client.write_register(1, 10),
    client.write_register(1, 11),
    client.write_register(2, 1),
    client.write_coil(17, True),
    client.write_registers(4, client.convert_to_registers(100_000, INT)),
]:
    assert not answer.isError(), answer
print(json.dumps(found))
