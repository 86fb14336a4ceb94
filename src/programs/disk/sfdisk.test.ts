import { expect, test } from "vitest";
import { isEspType } from "../../install/plan/partition-plan.ts";
import { parsePartitions } from "./sfdisk.ts";

// util-linux 2.38, shortened.
const GPT = JSON.stringify({
  partitiontable: {
    label: "gpt",
    device: "/dev/loop0",
    partitions: [
      {
        node: "/dev/loop0p1",
        start: 2048,
        size: 2048,
        type: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
      },
      { node: "/dev/loop0p2", start: 4096, size: 9, type: "0FC63DAF-8483-4772-8E79-3D69D8477DE4" },
    ],
  },
});

test("an ESP is recognized by its type in tables of both kinds", () => {
  const found = parsePartitions(GPT).filter((it) => isEspType(it.type));
  expect(found.map((it) => it.node)).toEqual(["/dev/loop0p1"]);
  const dos = { partitiontable: { label: "dos", partitions: [{ node: "/dev/sda1", type: "ef" }] } };
  expect(parsePartitions(JSON.stringify(dos)).map((it) => isEspType(it.type))).toEqual([true]);
});

test("a table without partitions has none", () => {
  expect(parsePartitions('{"partitiontable":{"label":"gpt"}}')).toEqual([]);
});
