// What the vision encoder made of pictures, kept for the next time they are shown: by content and tenant, within a
// budget of bytes, least recently used first out. A picture that is being looked at stays until nobody waits for it.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace herd::engine {

// A picture, seen as far as `tiles_done`.
struct Seen {
  std::vector<float> features;  // [tiles_done * vectors of a tile, D]
  std::int64_t tiles = 0, tiles_done = 0;
  [[nodiscard]] bool whole() const { return tiles_done == tiles; }
};

class PictureCache {
 public:
  explicit PictureCache(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // The entry of this picture, shared between the cache and the requests that show it; not whole yet where it is new.
  std::shared_ptr<Seen> get(const std::string& tenant, std::uint64_t hash, std::int64_t tiles);
  // Makes room, after entries have grown.
  void trim();

  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string tenant;
    std::uint64_t hash = 0;
    std::shared_ptr<Seen> seen;  // shared with the requests that show the picture
  };
  using Place = std::list<Entry>::iterator;

  std::uint64_t bytes_max_;
  std::list<Entry> entries_;  // most recently used first
  std::map<std::pair<std::string, std::uint64_t>, Place> places_;
};

}  // namespace herd::engine
