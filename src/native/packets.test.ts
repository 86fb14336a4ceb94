import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, fstatSync } from "node:fs";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { openPacketPair, type PacketPair } from "./packets.ts";

afterEach(() => void vi.unstubAllEnvs());

function openedPair(): PacketPair {
  const pair = openPacketPair();
  if (pair === undefined) throw new Error("the door is shut");
  onTestFinished(() => pair.ours.close());
  return pair;
}

/** A child that reads and writes packets: read(2) and write(2) keep them apart as well. */
function startPeer(theirs: number, script: string) {
  const child = spawn("sh", ["-c", script], { stdio: ["ignore", theirs, "inherit", theirs] });
  closeSync(theirs);
  onTestFinished(() => void child.kill());
  return child;
}

test("packets arrive one by one, however late, and then the end", async () => {
  const { ours, theirs } = openedPair();
  startPeer(theirs, "printf one; printf two; sleep 0.1; printf three");
  for (const text of ["one", "two", "three"]) {
    expect(await ours.receive()).toEqual({ text, descriptors: [] });
  }
  expect(await ours.receive()).toBeUndefined();
  expect(() => ours.send("anybody?")).toThrow(expect.objectContaining({ code: "EPIPE" }));
});

test("what is sent reaches the other end as one packet", async () => {
  const { ours, theirs } = openedPair();
  startPeer(theirs, "dd bs=100 count=1 status=none <&3");
  ours.send('{"äö": 1}');
  expect(await ours.receive()).toEqual({ text: '{"äö": 1}', descriptors: [] });
});

test("a packet that does not fit is an error, and no part of it a packet", async () => {
  const { ours, theirs } = openedPair();
  startPeer(theirs, "dd if=/dev/zero bs=32769 count=1 status=none; printf next");
  await expect(ours.receive()).rejects.toMatchObject({ code: "EMSGSIZE" });
  expect(await ours.receive()).toEqual({ text: "next", descriptors: [] });
});

test("the end of the other side is seen although it left packets unread", async () => {
  const { ours, theirs } = openedPair();
  ours.send("unread");
  await once(startPeer(theirs, "true"), "exit");
  expect(await ours.receive()).toBeUndefined();
});

test("closing ends a wait, and another pair goes on", async () => {
  const [one, other] = [openedPair(), openedPair()];
  const waiting = one.ours.receive();
  one.ours.close();
  one.ours.close();
  expect(await waiting).toBeUndefined();
  closeSync(one.theirs);
  startPeer(other.theirs, "sleep 0.1; printf on");
  expect(await other.ours.receive()).toEqual({ text: "on", descriptors: [] });
});

test("no wait keeps a listener for the signal once its pair is closed", () => {
  const before = process.listenerCount("SIGURG");
  const { ours, theirs } = openedPair();
  expect(process.listenerCount("SIGURG")).toBe(before + 1);
  ours.close();
  closeSync(theirs);
  expect(process.listenerCount("SIGURG")).toBe(before);
});

test("without the door there is no pair, and nothing is opened", () => {
  vi.stubEnv("BOOTC_WITHOUT_FFI", "1");
  expect(openPacketPair()).toBeUndefined();
});

test("the end for the child stays open for it until it is closed here", () => {
  const { theirs } = openedPair();
  expect(fstatSync(theirs).isSocket()).toBe(true);
  closeSync(theirs);
});
