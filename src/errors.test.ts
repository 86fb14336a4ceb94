import { describe, expect, test } from "vitest";
import { BootcError, describeError, doing, exitStatusOf, isInternalError } from "./errors.ts";

describe("describeError", () => {
  test("names each layer once, outermost first, and keeps the hint next to the root", async () => {
    const failure = doing("staging `x`", async () => {
      throw new BootcError("no such image", { kind: "network", hint: "check the name" });
    });
    const error = await failure.catch((it) => it);
    expect(describeError(error)).toEqual({
      kind: "network",
      message: "staging `x`",
      causes: ["no such image"],
      hint: "check the name",
    });
    expect(exitStatusOf(error)).toBe(4);
  });

  test("recognizes a full disk at any depth", async () => {
    const full = Object.assign(new Error("write ENOSPC"), { code: "ENOSPC" });
    const error = await doing("writing", async () => Promise.reject(full)).catch((it) => it);
    expect(exitStatusOf(error)).toBe(8);
    expect(isInternalError(error)).toBe(false);
  });

  test("a TypeError below our own layers is our bug", async () => {
    const error = await doing("x", async () => Promise.reject(new TypeError("y"))).catch(
      (it) => it,
    );
    expect(isInternalError(error)).toBe(true);
  });
});
