#pragma once
#include <evaio.h>
