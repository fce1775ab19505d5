// The C++ standard library: containers, algorithms, strings, streams, virtual calls.
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

struct Shape {
  virtual ~Shape() = default;
  virtual double area() const = 0;
};
struct Square : Shape {
  explicit Square(double s) : side(s) {}
  double area() const override { return side * side; }
  double side;
};
struct Circle : Shape {
  explicit Circle(double r) : radius(r) {}
  double area() const override { return 3.25 * radius * radius; }
  double radius;
};

int main() {
  std::map<std::string, int> counts;
  std::istringstream text("one two three two three three");
  for (std::string word; text >> word;) counts[word]++;
  for (const auto& [word, count] : counts) std::cout << word << " " << count << "\n";

  std::vector<unsigned> numbers(1000);
  std::iota(numbers.begin(), numbers.end(), 1u);
  std::stable_sort(numbers.begin(), numbers.end(),
                   [](unsigned a, unsigned b) { return a * 2654435761u < b * 2654435761u; });
  unsigned hash = 0;
  for (unsigned n : numbers) hash = hash * 31 + n;
  std::cout << "hash " << hash << "\n";

  std::vector<std::unique_ptr<Shape>> shapes;
  for (int i = 1; i <= 4; i++) {
    if (i % 2) {
      shapes.push_back(std::make_unique<Square>(i));
    } else {
      shapes.push_back(std::make_unique<Circle>(i));
    }
  }
  double total = 0;
  for (const auto& shape : shapes) total += shape->area();
  std::cout << "area " << total << std::endl;
}
