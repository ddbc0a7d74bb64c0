/** The codec: values to bytes and back, in V8's own wire format. */
export { decode, decodesNatively } from "./decode";
export { checkDepth, DEPTH_MAX, isStackOverflow, ValueTooDeepError } from "./depth";
export { encode, encodesNatively } from "./encode";
export { readLatin1 } from "./strings";
export { ByteWriter } from "./writer";
