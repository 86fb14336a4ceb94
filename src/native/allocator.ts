// The C library's allocator.
import { openLibrary } from "./ffi.ts";

const FUNCTIONS = { malloc_trim: { arguments: ["u64"], return: "i32" } } as const;

/**
 * Gives free memory back to the kernel, which glibc otherwise keeps between blocks in use. Where glibc cannot
 * be called, nothing happens.
 */
export function returnFreeMemory(): void {
  openLibrary(null, FUNCTIONS)?.functions.malloc_trim(0n);
}
