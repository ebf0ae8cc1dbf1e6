// Bytes of any number between ranks, without a processor kept busy by who waits.
#pragma once

#include <functional>
#include <string>

namespace quantize {

/// Kinds of messages, none of which is taken for another.
enum class MessageTag { kOutcome = 1, kVerdict, kData };

/// Called again and again while a message is on its way. An exception that it throws ends the waiting.
using WhileWaiting = std::function<void()>;

/// Sends a message; returns when the bytes may go. `waiting` may be empty.
void send_bytes(int rank, MessageTag tag, const std::string& bytes, const WhileWaiting& waiting);

/// Waits for a message of this tag and receives it.
std::string receive_bytes(int rank, MessageTag tag, const WhileWaiting& waiting);

/// True if such a message has come; `rank` may be kAnyRank, and becomes that of the sender.
bool has_message(int& rank, MessageTag tag);
constexpr int kAnyRank = -1;

/// A moment of sleep: for whoever asks again and again.
void doze();

}  // namespace quantize
