import { expect, test } from "vitest";
import { formatRecord } from "./systemd.ts";

test("a journal record has one field per line, and a value cannot add another", () => {
  const fields = { BOOTC_X: "a\nMESSAGE_ID=b" };
  expect(formatRecord({ messageId: "m", message: "text", fields })).toBe(
    "MESSAGE_ID=m\nMESSAGE=text\nPRIORITY=6\nSYSLOG_IDENTIFIER=bootc\nBOOTC_X=a MESSAGE_ID=b\n",
  );
});
