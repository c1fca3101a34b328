// Words in messages and lists: what a misspelt name was probably meant to be; joining and splitting.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sl {

// "did you mean 'endpoint'? known: endpoint, run_dir": the first half only when a name is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

// "a, b, c"
std::string join(const std::vector<std::string>& words, std::string_view separator = ", ");
// Without empty words and spaces around them.
std::vector<std::string> split(std::string_view text, char separator);

}  // namespace sl
